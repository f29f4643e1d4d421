raise "kahn" unless build_order([%w[a b], %w[b c], %w[a c]]) == %w[a b c]
raise "kahn" unless build_order([%w[a b], %w[b a]]).nil?
raise "kahn" unless build_order([]) == []
raise "dfs" unless tsort_dfs({ "a" => %w[b c], "b" => %w[d], "c" => %w[d] }) == %w[a c b d]
raise "dfs" unless tsort_dfs({}) == []
begin
  tsort_dfs({ 1 => [2], 2 => [1] })
  raise "dfs cycle accepted"
rescue ArgumentError
  nil
end
roads = { "a" => { "b" => 7, "c" => 1 }, "c" => { "b" => 2 }, "b" => { "d" => 1 }, "x" => { "a" => 1 } }
raise "dijkstra" unless shortest_distances(roads, "a") == { "a" => 0, "c" => 1, "b" => 3, "d" => 4 }
raise "dijkstra" unless shortest_distances(roads, "d") == { "d" => 0 }
raise "components" unless component_count(5, [[0, 1], [1, 2], [3, 4], [0, 2]]) == 2
raise "components" unless component_count(3, []) == 3
raise "bipartite" unless two_colorable?({ 1 => [2, 4], 2 => [1, 3], 3 => [2, 4], 4 => [1, 3] })
raise "bipartite" if two_colorable?({ 0 => [], 1 => [2, 3], 2 => [1, 3], 3 => [1, 2] })
raise "bipartite" unless two_colorable?({})
raise "bridges" unless bridges([[0, 1], [1, 2], [2, 0], [2, 3]]) == [[2, 3]]
raise "bridges" unless bridges([[0, 1], [0, 1]]) == []
raise "bridges" unless bridges([[0, 1], [1, 2]]) == [[0, 1], [1, 2]]
