package main

import (
	"fmt"
	"math"
)

func same(got interface{}, want, name string) {
	if text := fmt.Sprintf("%v", got); text != want {
		panic(fmt.Sprintf("%s: got %s, want %s", name, text, want))
	}
}

func main() {
	same(math.Round(determinant([][]float64{{4, 3, 2}, {1, 1, 7}, {2, 5, 9}})), "-83", "determinant_by_elimination")
	same(determinant([][]float64{{0, 2}, {3, 4}}), "-6", "determinant_by_elimination")
	same(determinant([][]float64{{1, 2}, {2, 4}}), "0", "determinant_by_elimination")
	same(laplaceExpansion([][]int{{4, 3, 2}, {1, 1, 7}, {2, 5, 9}}), "-83", "determinant_by_cofactors")
	same(laplaceExpansion([][]int{{0, 2}, {3, 4}}), "-6", "determinant_by_cofactors")
	same(laplaceExpansion(nil), "1", "determinant_by_cofactors")
	same(spiralOrder([][]int{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}), "[1 2 3 6 9 8 7 4 5]", "matrix_spiral_order")
	same(spiralOrder([][]int{{1, 2}, {3, 4}, {5, 6}}), "[1 2 4 6 5 3]", "matrix_spiral_order")
	same(spiralOrder([][]int{{1, 2, 3, 4}}), "[1 2 3 4]", "matrix_spiral_order")
	same(spiralOrder(nil), "[]", "matrix_spiral_order")
	same(matrixPower([][]int{{1, 1}, {1, 0}}, 10), "[[89 55] [55 34]]", "matrix_power")
	same(matrixPower([][]int{{2, 3}, {4, 5}}, 0), "[[1 0] [0 1]]", "matrix_power")
	blinker := [][]bool{{false, false, false}, {true, true, true}, {false, false, false}}
	same(nextGeneration(blinker), "[[false true false] [false true false] [false true false]]", "game_of_life_step")
	same(nextGeneration([][]bool{{true, true}, {true, false}}), "[[true true] [true true]]", "game_of_life_step")
	same(nextGeneration([][]bool{{true, true}}), "[[false false]]", "game_of_life_step")
	same(nextGeneration([][]bool{{true, true, true}, {true, true, true}}), "[[true false true] [true false true]]", "game_of_life_step")
	same(nextGeneration(nil), "[]", "game_of_life_step")
	x, err := solveLinear([][]float64{{4, 1, 0}, {1, 5, 2}, {0, 2, 6}}, []float64{6, 17, 22})
	same(err, "<nil>", "linear_system_solve")
	for i, want := range []float64{1, 2, 3} {
		same(math.Abs(x[i]-want) < 1e-9, "true", "linear_system_solve")
	}
	_, err = solveLinear([][]float64{{1, 9}, {9, 1}}, []float64{1, 2})
	same(err != nil, "true", "linear_system_solve")
}
