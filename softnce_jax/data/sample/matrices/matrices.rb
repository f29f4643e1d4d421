require "matrix"

# task: determinant_by_elimination
def determinant(rows)
  work = rows.map { |row| row.map(&:to_r) }
  swaps = 0
  work.each_index do |k|
    pivot = (k...work.size).find { |i| work[i][k] != 0 } or return 0
    swaps += 1 if pivot != k
    work[k], work[pivot] = work[pivot], work[k]
    work.drop(k + 1).each do |row|
      ratio = row[k] / work[k][k]
      row.map!.with_index { |value, j| value - ratio * work[k][j] }
    end
  end
  work.each_index.inject((-1)**swaps) { |product, k| product * work[k][k] }
end

# task: determinant_by_cofactors
def laplace(matrix)
  return matrix[0][0] if matrix.size == 1

  first, *others = matrix
  first.each_with_index.sum do |entry, column|
    minor = others.map { |line| line[0, column] + line[column + 1..] }
    sign = column.even? ? 1 : -1
    sign * entry * laplace(minor)
  end
end

# task: matrix_spiral_order
def spiral_order(grid)
  top, bottom, left, right = 0, grid.size - 1, 0, grid.first.to_a.size - 1
  visited = []
  while top <= bottom && left <= right
    left.upto(right) { |x| visited << grid[top][x] }
    (top + 1).upto(bottom) { |y| visited << grid[y][right] }
    (right - 1).downto(left) { |x| visited << grid[bottom][x] } if top < bottom
    (bottom - 1).downto(top + 1) { |y| visited << grid[y][left] } if left < right
    top, bottom, left, right = top + 1, bottom - 1, left + 1, right - 1
  end
  visited
end

# task: matrix_power
def matrix_pow(base, exponent)
  raise ArgumentError, "negative exponent" if exponent.negative?
  return Matrix.identity(base.row_count) if exponent.zero?

  half = matrix_pow(base, exponent / 2)
  exponent.odd? ? half * half * base : half * half
end

# task: game_of_life_step
def life_step(grid)
  grid.map.with_index do |row, y|
    nearby = grid[[y - 1, 0].max..y + 1]
    row.map.with_index do |cell, x|
      crowd = nearby.sum { |line| line[[x - 1, 0].max..x + 1].sum }
      crowd == 3 || (crowd == 4 && cell == 1) ? 1 : 0
    end
  end
end

# task: linear_system_solve
def solve_equations(coefficients, constants)
  denominator = Matrix[*coefficients].det
  raise ZeroDivisionError, "no unique solution" if denominator.zero?

  constants.each_index.map do |unknown|
    replaced = coefficients.zip(constants).map do |equation, constant|
      equation.dup.tap { |copy| copy[unknown] = constant }
    end
    Rational(Matrix[*replaced].det, denominator)
  end
end
# end
