require "set"

# task: unique_in_order
def unique_in_order(items)
  seen = {}
  items.select do |item|
    first_time = !seen.key?(item)
    seen[item] = true
    first_time
  end
end

# task: sorted_distinct
def sorted_distinct(values)
  values
    .sort
    .chunk_while { |a, b| a == b }
    .map(&:first)
end

# task: symmetric_difference
def symmetric_difference(left, right)
  left = left.to_set
  right = right.to_set
  both = left & right
  (left | right) - both
end

# task: power_set
def power_set(elements)
  return [[]] if elements.empty?

  head, *tail = elements
  without = power_set(tail)
  without + without.map { |subset| [head, *subset] }
end

# task: intersect_all
def common_items(*lists)
  return [] if lists.empty?

  lists.reduce do |shared, list|
    break [] if shared.empty?

    shared.intersection(list)
  end.uniq
end

# task: multiset_contains
def covers?(bag, wanted)
  stock = bag.tally
  wanted.tally.all? do |thing, needed|
    stock.fetch(thing, 0) >= needed
  end
end
# end
