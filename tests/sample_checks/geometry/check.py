assert polygon_area([(0, 0), (4, 0), (4, 3)]) == 6
assert polygon_area([(0, 0), (0, 2), (2, 2), (2, 0)]) == 4
assert polygon_area([(1, 1), (5, 5)]) == 0

assert area_from_triangles([(0, 0), (4, 0), (4, 3)]) == 6
assert area_from_triangles([(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)]) == 10
assert area_from_triangles([(1, 1), (5, 5)]) == 0
assert area_from_triangles([(1, 2), (5, 2), (5, 5)]) == 6

assert distance_to_segment((0, 5), (-1, 0), (1, 0)) == 5
assert distance_to_segment((4, 4), (0, 0), (1, 0)) == 5
assert distance_to_segment((3, 4), (0, 0), (0, 0)) == 5

assert convex_hull([(0, 0), (2, 0), (1, 1), (2, 2), (0, 2), (1, 0)]) == [
    (0, 0),
    (2, 0),
    (2, 2),
    (0, 2),
]
assert convex_hull([(1, 1)]) == [(1, 1)]

assert intersect_segments((0, 0), (2, 2), (0, 2), (2, 0)) == (1, 1)
assert intersect_segments((1, 2), (5, 4), (3, 1), (3, 9)) == (3, 3)
assert intersect_segments((0, 0), (1, 1), (3, 0), (3, 9)) is None
assert intersect_segments((0, 0), (1, 0), (0, 1), (1, 1)) is None

assert contains_point([(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)], 1, 1)
assert not contains_point([(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)], 2, 3)
assert not contains_point([(0, 0), (4, 0), (4, 4)], -1, 2)
