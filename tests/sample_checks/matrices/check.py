assert determinant([[2, 0, 1], [1, 3, 2], [1, 1, 1]]) == 0
assert determinant([[0, 2], [3, 4]]) == -6
assert determinant([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) == -1
assert determinant([[4, 3, 2], [1, 1, 7], [2, 5, 9]]) == -83
assert determinant([[0, 0], [0, 0]]) == 0
assert det([[2, 0, 1], [1, 3, 2], [1, 1, 1]]) == 0
assert det([[0, 2], [3, 4]]) == -6
assert det([[4, 3, 2], [1, 1, 7], [2, 5, 9]]) == -83
assert det([]) == 1
assert spiral([[1, 2, 3], [4, 5, 6], [7, 8, 9]]) == [1, 2, 3, 6, 9, 8, 7, 4, 5]
assert spiral([[1, 2], [3, 4], [5, 6]]) == [1, 2, 4, 6, 5, 3]
assert spiral([]) == []
assert matrix_power([[1, 1], [1, 0]], 10) == [[89, 55], [55, 34]]
assert matrix_power([[2, 3], [4, 5]], 0) == [[1, 0], [0, 1]]
assert next_generation([[0, 0, 0], [1, 1, 1], [0, 0, 0]]) == [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
assert next_generation([[1, 1], [1, 0]]) == [[1, 1], [1, 1]]
assert next_generation([[1, 1]]) == [[0, 0]]
assert next_generation([[1] * 3] * 3) == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
assert next_generation([]) == []
close = zip(solve([[2, 1, -1], [-3, -1, 2], [-2, 1, 2]], [8, -11, -3]), [2, 3, -1], strict=True)
assert all(abs(x - y) < 1e-9 for x, y in close)
assert solve([[0, 1], [1, 0]], [5, 6]) == [6, 5]
try:
    solve([[1, 1], [2, 2]], [1, 2])
    raise AssertionError("singular system accepted")
except ValueError:
    pass
