assert unique_in_order([3, 1, 3, 2, 1]) == [3, 1, 2]
assert unique_in_order([]) == []
assert sorted_distinct([3, 1, 3, 2, 1]) == [1, 2, 3]
assert sorted_distinct([]) == []
assert sorted_distinct("bab") == ["a", "b"]
assert symmetric_difference([1, 2, 3], [3, 4]) == [1, 2, 4]
assert symmetric_difference([1], [1]) == []
assert sorted(map(sorted, power_set("ab"))) == [[], ["a"], ["a", "b"], ["b"]]
assert power_set([]) == [set()]
assert len(power_set(range(5))) == 32
assert intersect_all([1, 2, 3], [2, 3, 4], (3, 2, 9)) == {2, 3}
assert intersect_all([1], [2], [1]) == set()
assert intersect_all() == set()
assert multiset_contains("banana", "nab")
assert not multiset_contains("banana", "bnnn")
assert multiset_contains([], [])
