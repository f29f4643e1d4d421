def expect(wanted, got)
  raise "wanted #{wanted.inspect}, got #{got.inspect}" unless wanted == got
end

expect [3, 1, 2], unique_in_order([3, 1, 3, 2, 1])
expect [nil, false], unique_in_order([nil, false, nil])
expect [1, 2, 3], sorted_distinct([3, 1, 3, 2, 1])
expect [], sorted_distinct([])
expect Set[1, 2, 4], symmetric_difference([1, 2, 3], [3, 4])
expect Set[], symmetric_difference([1], [1])
expect [[], ["a"], %w[a b], ["b"]], power_set(%w[a b]).sort
expect [[]], power_set([])
expect 32, power_set([1, 2, 3, 4, 5]).size
expect [2, 3], common_items([1, 2, 3, 2], [2, 3, 4], [3, 2, 9])
expect [], common_items([1], [2], [1])
expect [], common_items
expect true, covers?("banana".chars, "nab".chars)
expect false, covers?("banana".chars, "bnnn".chars)
expect true, covers?([], [])
