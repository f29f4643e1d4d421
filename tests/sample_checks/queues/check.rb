def check_equal(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

check_equal true, balanced?('f(a[0], {b: (c)})')
check_equal true, balanced?('')
check_equal false, balanced?('(]')
check_equal false, balanced?('())(')
check_equal false, balanced?('((')

check_equal true, well_nested?('f(a[0], {b: (c)})')
check_equal true, well_nested?('')
check_equal false, well_nested?('([)]')
check_equal false, well_nested?('}')

check_equal [3, 3, 5, 5, 6, 7], window_maxima([1, 3, -1, -3, 5, 3, 6, 7], 3)
check_equal [4, 2], window_maxima([4, 2], 1)
check_equal [], window_maxima([1], 2)

check_equal [4, 2, 4, nil, nil], next_greater([2, 1, 2, 4, 3])
check_equal [], next_greater([])

check_equal [['b', 3], ['c', 5], ['a', 6]], round_robin({ 'a' => 3, 'b' => 1, 'c' => 2 }, 2).to_a
check_equal({}, round_robin({}, 2))

jobs = [[1, 'low'], [9, 'fire'], [5, 'x'], [9, 'flood']].map { |p, n| { priority: p, name: n } }
check_equal %w[fire flood x low], serve_by_priority(jobs)
check_equal [], serve_by_priority([])
