$equal = function ($want, $got): void {
    if ($want != $got || is_null($want) !== is_null($got)) {
        throw new Exception('want ' . var_export($want, true) . ', got ' . var_export($got, true));
    }
};

$notched = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]];

$equal(6.0, polygonArea([[0, 0], [4, 0], [4, 3]]));
$equal(10.0, polygonArea($notched));
$equal(0.0, polygonArea([]));

$equal(6.0, triangleFanArea([[0, 0], [4, 0], [4, 3]]));
$equal(10.0, triangleFanArea(array_reverse($notched)));
$equal(0.0, triangleFanArea([[1, 1], [5, 5]]));
$equal(6.0, triangleFanArea([[1, 2], [5, 2], [5, 5]]));

$equal(5.0, distanceToSegment([0, 5], [-1, 0], [1, 0]));
$equal(5.0, distanceToSegment([4, 4], [0, 0], [1, 0]));
$equal(5.0, distanceToSegment([3, 4], [0, 0], [0, 0]));

$equal(
    [[0, 0], [2, 0], [2, 2], [0, 2]],
    convexHull([[0, 0], [2, 0], [1, 1], [2, 2], [0, 2], [1, 0]])
);
$equal([[1, 1]], convexHull([[1, 1]]));

$equal([1, 1], segmentIntersection([[0, 0], [2, 2]], [[0, 2], [2, 0]]));
$equal([3, 3], segmentIntersection([[1, 2], [5, 4]], [[3, 1], [3, 9]]));
$equal(null, segmentIntersection([[0, 0], [1, 1]], [[3, 0], [3, 9]]));
$equal(null, segmentIntersection([[0, 0], [1, 0]], [[0, 1], [1, 1]]));

$equal(true, pointInPolygon(1, 1, $notched));
$equal(false, pointInPolygon(2, 3, $notched));
$equal(false, pointInPolygon(-1, 2, $notched));
