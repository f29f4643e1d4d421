package main

import (
	"errors"
	"math"
)

// task: determinant_by_elimination
func determinant(matrix [][]float64) float64 {
	upper := make([][]float64, len(matrix))
	for i, row := range matrix {
		upper[i] = append([]float64(nil), row...)
	}
	det := 1.0
	for k := range upper {
		for r := k + 1; r < len(upper); r++ {
			if math.Abs(upper[r][k]) > math.Abs(upper[k][k]) {
				upper[r], upper[k] = upper[k], upper[r]
				det = -det
			}
		}
		if det *= upper[k][k]; det == 0 {
			return 0
		}
		for r := k + 1; r < len(upper); r++ {
			ratio := upper[r][k] / upper[k][k]
			for c := k; c < len(upper); c++ {
				upper[r][c] -= ratio * upper[k][c]
			}
		}
	}
	return det
}

// task: determinant_by_cofactors
func laplaceExpansion(m [][]int) int {
	if len(m) == 0 {
		return 1
	}
	sum, sign := 0, 1
	for skip, entry := range m[0] {
		var minor [][]int
		for _, line := range m[1:] {
			kept := append([]int{}, line[:skip]...)
			minor = append(minor, append(kept, line[skip+1:]...))
		}
		sum += sign * entry * laplaceExpansion(minor)
		sign = -sign
	}
	return sum
}

// task: matrix_spiral_order
func spiralOrder(grid [][]int) []int {
	var out []int
	height, width := len(grid), 0
	if height > 0 {
		width = len(grid[0])
	}
	y, x, dy, dx := 0, -1, 0, 1
	for run, turns := width, height-1; run > 0; run, turns = turns, run-1 {
		for step := 0; step < run; step++ {
			y, x = y+dy, x+dx
			out = append(out, grid[y][x])
		}
		dy, dx = dx, -dy
	}
	return out
}

// task: matrix_power
func matrixPower(base [][]int, exponent uint) (result [][]int) {
	multiply := func(a, b [][]int) [][]int {
		product := make([][]int, len(a))
		for i := range a {
			product[i] = make([]int, len(b))
			for j := range b {
				for k := range b {
					product[i][j] += a[i][k] * b[k][j]
				}
			}
		}
		return product
	}
	for i := range base {
		result = append(result, make([]int, len(base)))
		result[i][i] = 1
	}
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 == 1 {
			result = multiply(result, base)
		}
		base = multiply(base, base)
	}
	return result
}

// task: game_of_life_step
func nextGeneration(cells [][]bool) [][]bool {
	next := make([][]bool, len(cells))
	for y, row := range cells {
		next[y] = make([]bool, len(row))
		for x, alive := range row {
			neighbors := 0
			for i := y - 1; i <= y+1; i++ {
				for j := x - 1; j <= x+1; j++ {
					outside := i < 0 || i >= len(cells) || j < 0 || j >= len(row)
					itself := i == y && j == x
					if !outside && !itself && cells[i][j] {
						neighbors++
					}
				}
			}
			next[y][x] = neighbors == 3 || alive && neighbors == 2
		}
	}
	return next
}

// task: linear_system_solve
func solveLinear(coefficients [][]float64, constants []float64) ([]float64, error) {
	x := make([]float64, len(constants))
	for round := 0; round < 500; round++ {
		change := 0.0
		for i, equation := range coefficients {
			rest := constants[i]
			for j, a := range equation {
				if j != i {
					rest -= a * x[j]
				}
			}
			updated := rest / equation[i]
			change = math.Max(change, math.Abs(updated-x[i]))
			x[i] = updated
		}
		if change < 1e-12 {
			return x, nil
		}
	}
	return nil, errors.New("iteration did not converge")
}

// end
