function check(bool $ok, string $task): void
{
    if (!$ok) {
        throw new RuntimeException($task);
    }
}
function throws(callable $action): bool
{
    try {
        $action();
    } catch (Exception $e) {
        return true;
    }
    return false;
}
check(round(determinant([[4, 3, 2], [1, 1, 7], [2, 5, 9]])) === -83.0, 'determinant_by_elimination');
check(determinant([[0, 2], [3, 4]]) === -6.0, 'determinant_by_elimination');
check(determinant([[1, 2], [2, 4]]) === 0.0, 'determinant_by_elimination');
check(laplaceDeterminant([[4, 3, 2], [1, 1, 7], [2, 5, 9]]) === -83, 'determinant_by_cofactors');
check(laplaceDeterminant([[0, 2], [3, 4]]) === -6, 'determinant_by_cofactors');
check(laplaceDeterminant([[7]]) === 7, 'determinant_by_cofactors');
check(spiralOrder([[1, 2, 3], [4, 5, 6], [7, 8, 9]]) === [1, 2, 3, 6, 9, 8, 7, 4, 5], 'matrix_spiral_order');
check(spiralOrder([[1, 2], [3, 4], [5, 6]]) === [1, 2, 4, 6, 5, 3], 'matrix_spiral_order');
check(spiralOrder([[1], [2], [3], [4]]) === [1, 2, 3, 4], 'matrix_spiral_order');
check(spiralOrder([]) === [], 'matrix_spiral_order');
check(matrixPower([[1, 1], [1, 0]], 10) === [[89, 55], [55, 34]], 'matrix_power');
check(matrixPower([[2, 3], [4, 5]], 1) === [[2, 3], [4, 5]], 'matrix_power');
check(matrixPower([[3]], 4) === [[81]], 'matrix_power');
check(throws(fn () => matrixPower([[2, 3], [4, 5]], 0)), 'matrix_power');
check(nextGeneration([[0, 0, 0], [1, 1, 1], [0, 0, 0]]) === [[0, 1, 0], [0, 1, 0], [0, 1, 0]], 'game_of_life_step');
check(nextGeneration([[1, 1], [1, 0]]) === [[1, 1], [1, 1]], 'game_of_life_step');
check(nextGeneration([[1, 1]]) === [[0, 0]], 'game_of_life_step');
check(nextGeneration([[1, 1, 1], [1, 1, 1]]) === [[1, 0, 1], [1, 0, 1]], 'game_of_life_step');
check(nextGeneration([]) === [], 'game_of_life_step');
$unknowns = solveEquations([[2, 1, -1, 8], [-3, -1, 2, -11], [-2, 1, 2, -3]]);
check(array_map(fn ($x) => round($x, 9), $unknowns) === [2.0, 3.0, -1.0], 'linear_system_solve');
check(solveEquations([[0, 1, 5], [1, 0, 6]]) == [6, 5], 'linear_system_solve');
check(throws(fn () => solveEquations([[1, 1, 1], [2, 2, 2]])), 'linear_system_solve');
