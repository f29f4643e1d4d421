<?php

// task: polygon_area_shoelace
function polygonArea(array $vertices): float
{
    $doubled = 0.0;
    $previous = end($vertices);
    foreach ($vertices as $vertex) {
        $doubled += $previous[0] * $vertex[1] - $vertex[0] * $previous[1];
        $previous = $vertex;
    }
    return abs($doubled) / 2;
}

// task: polygon_area_fan
function triangleFanArea(array $corners): float
{
    [$ox, $oy] = array_shift($corners);
    $total = 0;
    for ($i = 1; $i < count($corners); $i++) {
        [$bx, $by] = $corners[$i - 1];
        [$cx, $cy] = $corners[$i];
        $total += 0.5 * (($bx - $ox) * ($cy - $oy) - ($by - $oy) * ($cx - $ox));
    }
    return abs($total);
}

// task: point_segment_distance
function distanceToSegment(array $point, array $start, array $end): float
{
    $dx = $end[0] - $start[0];
    $dy = $end[1] - $start[1];
    $squared = $dx ** 2 + $dy ** 2;
    $t = 0;
    if ($squared > 0) {
        $dot = ($point[0] - $start[0]) * $dx + ($point[1] - $start[1]) * $dy;
        $t = max(0, min(1, $dot / $squared));
    }
    return hypot($start[0] + $t * $dx - $point[0], $start[1] + $t * $dy - $point[1]);
}

// task: convex_hull
function convexHull(array $points): array
{
    sort($points);
    $halves = [];
    foreach ([$points, array_reverse($points)] as $ordered) {
        $chain = [];
        foreach ($ordered as [$x, $y]) {
            while (count($chain) > 1) {
                [[$ox, $oy], [$ax, $ay]] = array_slice($chain, -2);
                if (($ax - $ox) * ($y - $oy) > ($ay - $oy) * ($x - $ox)) {
                    break;
                }
                array_pop($chain);
            }
            $chain[] = [$x, $y];
        }
        $halves[] = array_slice($chain, 0, -1);
    }
    return count($points) < 3 ? $points : array_merge(...$halves);
}

// task: segment_intersection
function segmentIntersection(array $first, array $second): ?array
{
    [[$x1, $y1], [$x2, $y2]] = $first;
    [[$x3, $y3], [$x4, $y4]] = $second;
    $denominator = ($y4 - $y3) * ($x2 - $x1) - ($x4 - $x3) * ($y2 - $y1);
    if ($denominator == 0) {
        return null;
    }
    $t = (($x4 - $x3) * ($y1 - $y3) - ($y4 - $y3) * ($x1 - $x3)) / $denominator;
    $u = (($x2 - $x1) * ($y1 - $y3) - ($y2 - $y1) * ($x1 - $x3)) / $denominator;
    if (min($t, $u) < 0 || max($t, $u) > 1) {
        return null;
    }
    return [$x1 + $t * ($x2 - $x1), $y1 + $t * ($y2 - $y1)];
}

// task: point_in_polygon
function pointInPolygon(float $x, float $y, array $polygon): bool
{
    $inside = false;
    $count = count($polygon);
    for ($i = 0, $j = $count - 1; $i < $count; $j = $i++) {
        [$xi, $yi] = $polygon[$i];
        [$xj, $yj] = $polygon[$j];
        $straddles = ($yi > $y) !== ($yj > $y);
        if ($straddles && $x < ($xj - $xi) * ($y - $yi) / ($yj - $yi) + $xi) {
            $inside = !$inside;
        }
    }
    return $inside;
}

// end
