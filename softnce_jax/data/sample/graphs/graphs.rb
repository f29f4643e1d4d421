require "set"

# task: topological_sort_kahn
def build_order(edges)
  incoming = Hash.new(0)
  edges.each { |_, to| incoming[to] += 1 }
  ready = edges.flatten.uniq.select { |task| incoming[task].zero? }
  order = []
  until ready.empty?
    order << (done = ready.shift)
    edges.each do |from, to|
      next unless from == done

      ready << to if (incoming[to] -= 1).zero?
    end
  end
  order.size == edges.flatten.uniq.size ? order : nil
end

# task: topological_sort_dfs
def tsort_dfs(successors)
  visited = Set.new
  sorted = []
  walk = lambda do |vertex, path|
    raise ArgumentError, "cycle: #{path.join(' -> ')}" if path.include?(vertex)
    return unless visited.add?(vertex)

    successors.fetch(vertex, []).each { |following| walk.call(following, path + [vertex]) }
    sorted.unshift(vertex)
  end
  successors.each_key { |vertex| walk.call(vertex, []) unless visited.include?(vertex) }
  sorted
end

# task: dijkstra_distances
def shortest_distances(graph, source)
  distances = { source => 0 }
  settled = {}
  loop do
    node, cost = distances.reject { |key, _| settled.key?(key) }.min_by(&:last)
    break settled if node.nil?

    settled[node] = cost
    graph.fetch(node, {}).each_pair do |target, weight|
      candidate = cost + weight
      distances[target] = candidate if candidate < distances.fetch(target, Float::INFINITY)
    end
  end
end

# task: connected_components_count
def component_count(size, links)
  leader = Array.new(size) { |i| i }
  find = ->(i) { leader[i] == i ? i : (leader[i] = find.(leader[i])) }
  links.each do |a, b|
    leader[find.(a)] = find.(b)
  end
  (0...size).map(&find).uniq.length
end

# task: graph_is_bipartite
def two_colorable?(neighbors)
  color = {}
  paint = lambda do |vertex, shade|
    return color[vertex] == shade if color.key?(vertex)

    color[vertex] = shade
    neighbors[vertex].all? { |other| paint.(other, !shade) }
  end
  neighbors.keys.all? { |vertex| color.key?(vertex) || paint.(vertex, true) }
end

# task: graph_bridges
def bridges(links)
  links.reject do |removed|
    start, goal = removed
    remaining = links.dup.tap { |copy| copy.delete_at(copy.index(removed)) }
    seen = [start]
    seen.each do |node|
      remaining.each do |pair|
        next unless pair.include?(node)

        other = (pair - [node]).first || node
        seen.push(other) unless seen.include?(other)
      end
    end
    seen.include?(goal)
  end
end
# end
