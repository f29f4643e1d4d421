raise "elimination" unless determinant([[4, 3, 2], [1, 1, 7], [2, 5, 9]]) == -83
raise "elimination" unless determinant([[0, 2], [3, 4]]) == -6
raise "elimination" unless determinant([[1, 2], [2, 4]]).zero?
raise "cofactors" unless laplace([[4, 3, 2], [1, 1, 7], [2, 5, 9]]) == -83
raise "cofactors" unless laplace([[0, 2], [3, 4]]) == -6
raise "cofactors" unless laplace([[7]]) == 7
raise "spiral" unless spiral_order([[1, 2, 3], [4, 5, 6], [7, 8, 9]]) == [1, 2, 3, 6, 9, 8, 7, 4, 5]
raise "spiral" unless spiral_order([[1, 2], [3, 4], [5, 6]]) == [1, 2, 4, 6, 5, 3]
raise "spiral" unless spiral_order([[1, 2, 3]]) == [1, 2, 3]
raise "spiral" unless spiral_order([]) == []
raise "power" unless matrix_pow(Matrix[[1, 1], [1, 0]], 10) == Matrix[[89, 55], [55, 34]]
raise "power" unless matrix_pow(Matrix[[2, 3], [4, 5]], 0) == Matrix[[1, 0], [0, 1]]
raise "life" unless life_step([[0, 0, 0], [1, 1, 1], [0, 0, 0]]) == [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
raise "life" unless life_step([[1, 1], [1, 0]]) == [[1, 1], [1, 1]]
raise "life" unless life_step([[1, 1]]) == [[0, 0]]
raise "life" unless life_step([[1, 1, 1]] * 3) == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
raise "life" unless life_step([]) == []
raise "solve" unless solve_equations([[2, 1, -1], [-3, -1, 2], [-2, 1, 2]], [8, -11, -3]) == [2, 3, -1]
begin
  solve_equations([[1, 1], [2, 2]], [1, 2])
  raise "solve accepted a singular system"
rescue ZeroDivisionError
  nil
end
