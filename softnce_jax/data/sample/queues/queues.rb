# task: balanced_brackets
def balanced?(text)
  pairs = { '(' => ')', '[' => ']', '{' => '}' }
  expected = []
  text.each_char do |char|
    if pairs.key?(char)
      expected.push(pairs[char])
    elsif pairs.value?(char)
      return false unless expected.pop == char
    end
  end
  expected.empty?
end

# task: bracket_pair_removal
def well_nested?(source)
  brackets = source.delete('^()[]{}')
  loop do
    break unless brackets.gsub!(/\(\)|\[\]|\{\}/, '')
  end
  brackets.empty?
end

# task: sliding_window_max
def window_maxima(values, size)
  queue = []
  values.each_with_index.with_object([]) do |(value, index), maxima|
    queue.pop while queue.any? && values[queue.last] <= value
    queue << index
    queue.shift if queue.first <= index - size
    maxima << values[queue.first] if index + 1 >= size
  end
end

# task: next_greater_element
def next_greater(list)
  stack = []
  answers = list.reverse.map do |item|
    stack.pop until stack.empty? || stack.last > item
    larger = stack.last
    stack.push(item)
    larger
  end
  answers.reverse
end

# task: round_robin_schedule
def round_robin(jobs, quantum)
  ready = jobs.to_a
  clock = 0
  finished = {}
  until ready.empty?
    name, remaining = ready.shift
    clock += [quantum, remaining].min
    if remaining > quantum
      ready.push([name, remaining - quantum])
    else
      finished[name] = clock
    end
  end
  finished
end

# task: priority_dispatch
def serve_by_priority(tasks)
  line = []
  tasks.each do |task|
    spot = line.bsearch_index { |other| other[:priority] < task[:priority] }
    line.insert(spot || -1, task)
  end
  served = []
  served << line.shift[:name] while line.any?
  served
end

# end
