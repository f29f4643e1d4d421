# task: binary_search
def binary_search(items, target, low = 0, high = items.size - 1)
  return nil if low > high

  mid = (low + high) / 2
  case target <=> items[mid]
  when 0 then mid
  when -1 then binary_search(items, target, low, mid - 1)
  else binary_search(items, target, mid + 1, high)
  end
end

# task: first_occurrence_in_sorted
def first_occurrence(sorted, number)
  position = sorted.bsearch_index { |element| element >= number }
  if position && sorted[position] == number
    position
  else
    -1
  end
end

# task: kth_largest
def kth_largest(numbers, k)
  unless k.between?(1, numbers.length)
    raise ArgumentError, "k out of range: #{k}"
  end

  numbers.max(k).last
end

# task: pair_with_sum
def pair_with_sum(numbers, total)
  seen = {}
  numbers.each_with_index do |number, index|
    partner = seen[total - number]
    return [partner, index] if partner

    seen[number] = index
  end
  nil
end

# task: closest_value
def closest(values, wanted)
  values.reduce do |best, candidate|
    if (candidate - wanted).abs < (best - wanted).abs
      candidate
    else
      best
    end
  end
end

# task: search_sorted_matrix
def locate_in_grid(grid, value)
  column = grid.empty? ? 0 : grid.first.length
  grid.each_with_index do |cells, row|
    column -= 1 while column.positive? && cells[column - 1] > value
    return nil if column.zero?
    return [row, column - 1] if cells[column - 1] == value
  end
  nil
end
# end
