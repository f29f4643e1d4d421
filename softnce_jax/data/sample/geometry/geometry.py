import math
from itertools import pairwise


# task: polygon_area_shoelace
def polygon_area(vertices):
    if len(vertices) < 3:
        return 0.0
    doubled = 0.0
    shifted = vertices[1:] + vertices[:1]
    for (x1, y1), (x2, y2) in zip(vertices, shifted, strict=True):
        doubled += x1 * y2 - x2 * y1
    return abs(doubled) / 2


# task: polygon_area_fan
def area_from_triangles(corners):
    (ox, oy), *rest = corners
    total = 0
    for b, c in pairwise(rest):
        ux, uy = b[0] - ox, b[1] - oy
        vx, vy = c[0] - ox, c[1] - oy
        total += 0.5 * (ux * vy - uy * vx)
    return math.fabs(total)


# task: point_segment_distance
def distance_to_segment(point, start, end):
    px, py = point
    dx, dy = end[0] - start[0], end[1] - start[1]
    length_squared = dx * dx + dy * dy
    if length_squared == 0:
        return math.dist(point, start)
    t = ((px - start[0]) * dx + (py - start[1]) * dy) / length_squared
    t = max(0.0, min(1.0, t))
    return math.dist(point, (start[0] + t * dx, start[1] + t * dy))


# task: convex_hull
def convex_hull(points):
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered

    def turn(o, a, b):
        return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])

    def half(sequence):
        chain = []
        for p in sequence:
            while len(chain) > 1 and turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return half(ordered) + half(reversed(ordered))


# task: segment_intersection
def intersect_segments(p, p2, q, q2):
    rx, ry = p2[0] - p[0], p2[1] - p[1]
    sx, sy = q2[0] - q[0], q2[1] - q[1]
    denominator = rx * sy - ry * sx
    if denominator == 0:
        return None
    gap_x, gap_y = q[0] - p[0], q[1] - p[1]
    t = (gap_x * sy - gap_y * sx) / denominator
    u = (gap_x * ry - gap_y * rx) / denominator
    if 0 <= t <= 1 and 0 <= u <= 1:
        return p[0] + t * rx, p[1] + t * ry
    return None


# task: point_in_polygon
def contains_point(polygon, x, y):
    inside = False
    previous = polygon[-1]
    for current in polygon:
        (xi, yi), (xj, yj) = current, previous
        if (yi > y) != (yj > y):
            crossing = xi + (y - yi) * (xj - xi) / (yj - yi)
            if x < crossing:
                inside = not inside
        previous = current
    return inside


# end
