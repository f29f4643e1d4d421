// task: polygon_area_shoelace
function polygonArea(vertices) {
  let doubled = 0;
  for (let i = 0; i < vertices.length; i++) {
    const a = vertices[i];
    const b = vertices[(i + 1) % vertices.length];
    doubled += a.x * b.y - b.x * a.y;
  }
  return Math.abs(doubled) / 2;
}

// task: polygon_area_fan
function areaFromTriangles([origin, ...corners]) {
  const signed = (p, q) =>
    ((p.x - origin.x) * (q.y - origin.y) - (p.y - origin.y) * (q.x - origin.x)) / 2;
  const total = corners
    .slice(1)
    .map((corner, index) => signed(corners[index], corner))
    .reduce((sum, area) => sum + area, 0);
  return Math.abs(total);
}

// task: point_segment_distance
function distanceToSegment(point, start, end) {
  const dx = end.x - start.x;
  const dy = end.y - start.y;
  const lengthSquared = dx * dx + dy * dy;
  let t = 0;
  if (lengthSquared > 0) {
    t = ((point.x - start.x) * dx + (point.y - start.y) * dy) / lengthSquared;
    t = Math.max(0, Math.min(1, t));
  }
  return Math.hypot(start.x + t * dx - point.x, start.y + t * dy - point.y);
}

// task: convex_hull
function convexHull(points) {
  const sorted = [...points].sort((p, q) => p.x - q.x || p.y - q.y);
  if (sorted.length < 3) return sorted;
  const cross = (o, a, b) =>
    (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
  const halfHull = (list) => {
    const hull = [];
    for (const point of list) {
      while (hull.length > 1 && cross(hull.at(-2), hull.at(-1), point) <= 0) {
        hull.pop();
      }
      hull.push(point);
    }
    return hull.slice(0, -1);
  };
  const lower = halfHull(sorted);
  return lower.concat(halfHull(sorted.reverse()));
}

// task: segment_intersection
function intersectSegments([p1, p2], [p3, p4]) {
  const r = { x: p2.x - p1.x, y: p2.y - p1.y };
  const s = { x: p4.x - p3.x, y: p4.y - p3.y };
  const denominator = r.x * s.y - r.y * s.x;
  if (denominator === 0) {
    return null;
  }
  const gap = { x: p3.x - p1.x, y: p3.y - p1.y };
  const t = (gap.x * s.y - gap.y * s.x) / denominator;
  const u = (gap.x * r.y - gap.y * r.x) / denominator;
  const meet = t >= 0 && t <= 1 && u >= 0 && u <= 1;
  return meet ? { x: p1.x + t * r.x, y: p1.y + t * r.y } : null;
}

// task: point_in_polygon
function isInsidePolygon(point, polygon) {
  let inside = false;
  let previous = polygon[polygon.length - 1];
  for (const current of polygon) {
    const straddles = current.y > point.y !== previous.y > point.y;
    const slope = (previous.x - current.x) / (previous.y - current.y);
    if (straddles && point.x < current.x + (point.y - current.y) * slope) {
      inside = !inside;
    }
    previous = current;
  }
  return inside;
}

// end
