raise 'binary' unless [1, 5, 9].map { |x| binary_search([1, 3, 5, 7, 9], x) } == [0, 2, 4]
raise 'binary absent' unless binary_search([1, 3, 5], 4).nil?
raise 'binary empty' unless binary_search([], 4).nil?
raise 'first' unless first_occurrence([1, 2, 2, 2, 3], 2) == 1
raise 'first absent' unless first_occurrence([1, 2], 9) == -1
raise 'first empty' unless first_occurrence([], 9) == -1
raise 'kth' unless kth_largest([3, 9, 1, 9, 5], 3) == 5
begin
  kth_largest([4], 2)
rescue ArgumentError
  caught = true
end
raise 'kth range' unless caught
raise 'pair' unless pair_with_sum([2, 7, 11, 15], 18) == [1, 2]
raise 'pair first' unless pair_with_sum([4, 4], 8) == [0, 1]
raise 'pair none' unless pair_with_sum([4], 8).nil?
raise 'closest' unless closest([1, 8, 12], 9) == 8
raise 'closest empty' unless closest([], 9).nil?
grid = [[1, 4, 7], [2, 5, 8], [3, 6, 9]]
raise 'grid' unless locate_in_grid(grid, 6) == [2, 1]
raise 'grid corner' unless locate_in_grid(grid, 1) == [0, 0]
raise 'grid absent' unless locate_in_grid(grid, 10).nil? && locate_in_grid(grid, 0).nil?
raise 'grid empty' unless locate_in_grid([], 1).nil?
