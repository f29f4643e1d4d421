assert resolve_order({"c": ["b"], "b": ["a"], "a": []}) == ["a", "b", "c"]
assert resolve_order({}) == []
try:
    resolve_order({"a": ["b"], "b": ["a"]})
    raise AssertionError("cycle accepted")
except ValueError:
    pass
assert topological_order({"a": ["b", "c"], "b": ["d"], "c": ["d"]}) == ["a", "c", "b", "d"]
assert topological_order({}) == []
try:
    topological_order({"a": ["b"], "b": ["a"]})
    raise AssertionError("cycle accepted")
except ValueError:
    pass
roads = {"a": {"b": 7, "c": 1}, "c": {"b": 2}, "b": {"d": 1}, "x": {"a": 1}}
assert dijkstra(roads, "a") == {"a": 0, "c": 1, "b": 3, "d": 4}
assert dijkstra(roads, "d") == {"d": 0}
assert count_components(5, [(0, 1), (1, 2), (3, 4), (0, 2)]) == 2
assert count_components(3, []) == 3
assert is_bipartite({1: [2, 4], 2: [1, 3], 3: [2, 4], 4: [1, 3]})
assert not is_bipartite({0: [], 1: [2, 3], 2: [1, 3], 3: [1, 2]})
assert is_bipartite({})
assert find_bridges({0: [1, 2], 1: [0, 2], 2: [0, 1, 3], 3: [2]}) == [(2, 3)]
assert find_bridges({0: [1, 1], 1: [0, 0]}) == []
assert sorted(find_bridges({0: [1], 1: [0, 2], 2: [1]})) == [(0, 1), (1, 2)]
