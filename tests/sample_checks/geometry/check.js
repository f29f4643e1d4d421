const assert = require('node:assert');

const toPoints = (pairs) => pairs.map(([x, y]) => ({ x, y }));
const triangle = toPoints([[0, 0], [4, 0], [4, 3]]);
const notched = toPoints([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]);
const line = toPoints([[1, 1], [5, 5]]);

assert.deepStrictEqual(polygonArea(triangle), 6);
assert.deepStrictEqual(polygonArea(notched), 10);
assert.deepStrictEqual(polygonArea(line), 0);

assert.deepStrictEqual(areaFromTriangles(triangle), 6);
assert.deepStrictEqual(areaFromTriangles(notched), 10);
assert.deepStrictEqual(areaFromTriangles(line), 0);
assert.deepStrictEqual(areaFromTriangles(toPoints([[1, 2], [5, 2], [5, 5]])), 6);

const [a, b, c] = toPoints([[-1, 0], [1, 0], [0, 0]]);
assert.deepStrictEqual(distanceToSegment({ x: 0, y: 5 }, a, b), 5);
assert.deepStrictEqual(distanceToSegment({ x: 4, y: 4 }, a, b), 5);
assert.deepStrictEqual(distanceToSegment({ x: 3, y: 4 }, c, c), 5);

assert.deepStrictEqual(
  convexHull(toPoints([[0, 0], [2, 0], [1, 1], [2, 2], [0, 2], [1, 0]])),
  toPoints([[0, 0], [2, 0], [2, 2], [0, 2]])
);
assert.deepStrictEqual(convexHull([c]), [c]);

const segment = (...pairs) => toPoints(pairs);
assert.deepStrictEqual(
  intersectSegments(segment([0, 0], [2, 2]), segment([0, 2], [2, 0])),
  { x: 1, y: 1 }
);
assert.deepStrictEqual(
  intersectSegments(segment([1, 2], [5, 4]), segment([3, 1], [3, 9])),
  { x: 3, y: 3 }
);
assert.deepStrictEqual(intersectSegments(segment([0, 0], [1, 1]), segment([3, 0], [3, 9])), null);
assert.deepStrictEqual(intersectSegments(segment([0, 0], [1, 0]), segment([0, 1], [1, 1])), null);

assert.deepStrictEqual(isInsidePolygon({ x: 1, y: 1 }, notched), true);
assert.deepStrictEqual(isInsidePolygon({ x: 2, y: 3 }, notched), false);
assert.deepStrictEqual(isInsidePolygon({ x: -1, y: 2 }, notched), false);
