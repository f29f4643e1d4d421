<?php

// task: determinant_by_elimination
function determinant(array $matrix): float
{
    $det = 1.0;
    for ($n = count($matrix), $k = 0; $k < $n; $k++) {
        $column = array_map('abs', array_slice(array_column($matrix, $k), $k));
        $pivot = $k + array_search(max($column), $column, true);
        if ($pivot !== $k) {
            [$matrix[$k], $matrix[$pivot]] = [$matrix[$pivot], $matrix[$k]];
            $det = -$det;
        }
        $det *= $matrix[$k][$k];
        if ($det == 0) {
            return 0.0;
        }
        for ($r = $k + 1; $r < $n; $r++) {
            $ratio = $matrix[$r][$k] / $matrix[$k][$k];
            for ($c = $k; $c < $n; $c++) {
                $matrix[$r][$c] -= $ratio * $matrix[$k][$c];
            }
        }
    }
    return $det;
}

// task: determinant_by_cofactors
function laplaceDeterminant(array $rows): int|float
{
    if (count($rows) === 1) {
        return $rows[0][0];
    }
    $sum = 0;
    $sign = 1;
    foreach (array_shift($rows) as $skip => $entry) {
        $minor = array_map(function (array $line) use ($skip): array {
            array_splice($line, $skip, 1);
            return $line;
        }, $rows);
        $sum += $sign * $entry * laplaceDeterminant($minor);
        $sign *= -1;
    }
    return $sum;
}

// task: matrix_spiral_order
function spiralOrder(array $grid): array
{
    $order = [];
    while ($grid) {
        array_push($order, ...array_shift($grid));
        foreach ($grid as &$line) {
            $order[] = array_pop($line);
        }
        unset($line);
        array_push($order, ...array_reverse(array_pop($grid) ?? []));
        for ($i = count($grid) - 1; $i >= 0; $i--) {
            $order[] = array_shift($grid[$i]);
        }
    }
    return array_values(array_filter($order, fn ($value) => $value !== null));
}

// task: matrix_power
function matrixPower(array $base, int $exponent): array
{
    $multiply = function (array $left, array $right): array {
        $columns = array_map(fn ($j) => array_column($right, $j), array_keys($right[0]));
        return array_map(
            fn (array $row) => array_map(
                fn (array $column) => array_sum(array_map(fn ($x, $y) => $x * $y, $row, $column)),
                $columns
            ),
            $left
        );
    };
    $result = null;
    foreach (str_split(decbin($exponent)) as $bit) {
        $result = $result === null ? null : $multiply($result, $result);
        if ($bit === '1') {
            $result = $result === null ? $base : $multiply($result, $base);
        }
    }
    return $result ?? throw new DomainException('Exponent must be positive');
}

// task: game_of_life_step
function nextGeneration(array $grid): array
{
    $next = [];
    foreach ($grid as $y => $cells) {
        foreach ($cells as $x => $cell) {
            $neighbors = -$cell;
            foreach ([$y - 1, $y, $y + 1] as $i) {
                foreach ([$x - 1, $x, $x + 1] as $j) {
                    $neighbors += $grid[$i][$j] ?? 0;
                }
            }
            $next[$y][$x] = match ($neighbors) {
                2 => $cell,
                3 => 1,
                default => 0,
            };
        }
    }
    return $next;
}

// task: linear_system_solve
function solveEquations(array $equations): array
{
    $size = count($equations);
    foreach (range(0, $size - 1) as $k) {
        $usable = array_filter($equations, fn ($e, $i) => $i >= $k && abs($e[$k]) > 1e-12, ARRAY_FILTER_USE_BOTH);
        if (!$usable) {
            throw new InvalidArgumentException('No unique solution');
        }
        $chosen = array_key_first($usable);
        $normal = array_map(fn ($a) => $a / $equations[$chosen][$k], $equations[$chosen]);
        $equations[$chosen] = $equations[$k];
        foreach ($equations as $i => $equation) {
            $equations[$i] = array_map(fn ($a, $b) => $a - $equation[$k] * $b, $equation, $normal);
        }
        $equations[$k] = $normal;
    }
    return array_column($equations, $size);
}
// end
