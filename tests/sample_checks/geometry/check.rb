def check_equal(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

notched = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]

check_equal 6.0, polygon_area([[0, 0], [4, 0], [4, 3]])
check_equal 10.0, polygon_area(notched)
check_equal 0.0, polygon_area([[1, 1], [5, 5]])

check_equal 6.0, area_by_triangles([[0, 0], [4, 0], [4, 3]])
check_equal 10.0, area_by_triangles(notched.reverse)
check_equal 0.0, area_by_triangles([[1, 1], [5, 5]])
check_equal 6.0, area_by_triangles([[1, 2], [5, 2], [5, 5]])

check_equal 5.0, distance_to_segment([0, 5], [-1, 0], [1, 0])
check_equal 5.0, distance_to_segment([4, 4], [0, 0], [1, 0])
check_equal 5.0, distance_to_segment([3, 4], [0, 0], [0, 0])

check_equal [[0, 0], [2, 0], [2, 2], [0, 2]],
            convex_hull([[0, 0], [2, 0], [1, 1], [2, 2], [0, 2], [1, 0]])
check_equal [[1, 1]], convex_hull([[1, 1], [1, 1]])

check_equal [1.0, 1.0], segment_crossing([[0, 0], [2, 2]], [[0, 2], [2, 0]])
check_equal [3.0, 3.0], segment_crossing([[1, 2], [5, 4]], [[3, 1], [3, 9]])
check_equal nil, segment_crossing([[0, 0], [1, 1]], [[3, 0], [3, 9]])
check_equal nil, segment_crossing([[0, 0], [1, 0]], [[0, 1], [1, 1]])

check_equal true, point_in_polygon?(notched, 1, 1)
check_equal false, point_in_polygon?(notched, 2, 3)
check_equal false, point_in_polygon?(notched, -1, 2)
