# task: bubble_sort
def bubble_sort(values)
  items = values.dup
  loop do
    swapped = false
    (items.length - 1).times do |i|
      next unless items[i] > items[i + 1]

      items[i], items[i + 1] = items[i + 1], items[i]
      swapped = true
    end
    break unless swapped
  end
  items
end

# task: selection_sort
def selection_sort(list)
  sorted = list.clone
  sorted.each_index do |start|
    lowest = (start...sorted.size).min_by { |pos| sorted[pos] }
    next if lowest == start

    sorted[start], sorted[lowest] = sorted[lowest], sorted[start]
  end
end

# task: merge_sorted_lists
def merge_sorted(left, right)
  left = left.dup
  right = right.dup
  merged = []
  until left.empty? || right.empty?
    merged << (left.first <= right.first ? left.shift : right.shift)
  end
  merged + left + right
end

# task: sort_people_by_age_then_name
def order_by_age_and_name(people)
  people.sort do |a, b|
    by_age = b[:age] <=> a[:age]
    by_age.zero? ? a[:name].casecmp(b[:name]) : by_age
  end
end

# task: counting_sort
def counting_sort(numbers)
  return [] if numbers.empty?

  counts = Array.new(numbers.max + 1, 0)
  numbers.each { |n| counts[n] += 1 }
  counts.each_with_index.flat_map { |count, n| [n] * count }
end

# task: natural_sort
def natural_sort(names)
  names.sort_by do |name|
    name.downcase.scan(/\d+|\D+/).map do |piece|
      piece.match?(/\A\d/) ? [0, piece.to_i, ''] : [1, 0, piece]
    end
  end
end
# end
