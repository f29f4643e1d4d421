assert [binary_search([1, 3, 5, 7, 9], x) for x in (1, 5, 9)] == [0, 2, 4]
assert binary_search([1, 3, 5], 4) == -1
assert binary_search([], 4) == -1
assert first_index([1, 2, 2, 2, 3], 2) == 1
assert first_index([1, 2, 2, 2, 3], 9) == -1
assert first_index([], 1) == -1
assert kth_largest([3, 9, 1, 9, 5], 3) == 5
assert kth_largest([4], 1) == 4
try:
    kth_largest([4], 2)
except ValueError:
    pass
else:
    raise AssertionError("kth_largest")
assert two_sum([2, 7, 11, 15], 18) == (1, 2)
assert two_sum([4, 4], 8) == (0, 1)
assert two_sum([4], 8) is None
assert nearest([1, 8, 12], 9) == 8
assert nearest([5, 7], 6) == 5
assert nearest([], 9) is None
grid = [[1, 4, 7], [2, 5, 8], [3, 6, 9]]
assert find_in_matrix(grid, 6) == (2, 1)
assert find_in_matrix(grid, 10) is None
assert find_in_matrix([], 1) is None
