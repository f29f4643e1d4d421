# task: polygon_area_shoelace
def polygon_area(vertices)
  return 0.0 if vertices.size < 3

  doubled = vertices.zip(vertices.rotate).sum do |(x1, y1), (x2, y2)|
    x1 * y2 - x2 * y1
  end
  doubled.abs / 2.0
end

# task: polygon_area_fan
def area_by_triangles(corners)
  origin, *others = corners
  total = 0.0
  others.each_cons(2) do |b, c|
    u = [b[0] - origin[0], b[1] - origin[1]]
    v = [c[0] - origin[0], c[1] - origin[1]]
    total += 0.5 * (u[0] * v[1] - u[1] * v[0])
  end
  total.abs
end

# task: point_segment_distance
def distance_to_segment(point, from, to)
  px, py = point
  ax, ay = from
  dx = to[0] - ax
  dy = to[1] - ay
  squared = dx**2 + dy**2
  return Math.hypot(px - ax, py - ay) if squared.zero?

  ratio = ((px - ax) * dx + (py - ay) * dy).fdiv(squared).clamp(0, 1)
  Math.hypot(ax + ratio * dx - px, ay + ratio * dy - py)
end

# task: convex_hull
def convex_hull(points)
  sorted = points.uniq.sort
  return sorted if sorted.length < 3

  left_turn = lambda do |(ox, oy), (ax, ay), (bx, by)|
    (ax - ox) * (by - oy) > (ay - oy) * (bx - ox)
  end
  chains = [sorted, sorted.reverse].map do |run|
    chain = []
    run.each do |candidate|
      chain.pop while chain.length > 1 && !left_turn.(*chain.last(2), candidate)
      chain << candidate
    end
    chain[0...-1]
  end
  chains.flatten(1)
end

# task: segment_intersection
def segment_crossing(first, second)
  (x1, y1), (x2, y2) = first
  (x3, y3), (x4, y4) = second
  denominator = (x1 - x2) * (y3 - y4) - (y1 - y2) * (x3 - x4)
  return if denominator.zero?

  t = ((x1 - x3) * (y3 - y4) - (y1 - y3) * (x3 - x4)).to_f / denominator
  u = ((x1 - x3) * (y1 - y2) - (y1 - y3) * (x1 - x2)).to_f / denominator
  return unless t.between?(0, 1) && u.between?(0, 1)

  [x1 + t * (x2 - x1), y1 + t * (y2 - y1)]
end

# task: point_in_polygon
def point_in_polygon?(polygon, x, y)
  edges = polygon.each_cons(2).to_a << [polygon.last, polygon.first]
  crossings = edges.count do |(xi, yi), (xj, yj)|
    next false if (yi > y) == (yj > y)

    x < xi + (y - yi).fdiv(yj - yi) * (xj - xi)
  end
  crossings.odd?
end

# end
