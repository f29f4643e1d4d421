package main

import (
	"errors"
	"math"
	"math/cmplx"
	"sort"
)

// task: polygon_area_shoelace
func polygonArea(xs, ys []float64) float64 {
	doubled := 0.0
	previous := len(xs) - 1
	for current := range xs {
		doubled += (xs[previous] + xs[current]) * (ys[previous] - ys[current])
		previous = current
	}
	return math.Abs(doubled) / 2
}

// task: polygon_area_fan
func triangleFanArea(corners []complex128) float64 {
	var sum float64
	for i := 2; i < len(corners); i++ {
		u := corners[i-1] - corners[0]
		v := corners[i] - corners[0]
		sum += imag(cmplx.Conj(u)*v) * 0.5
	}
	if sum < 0 {
		return -sum
	}
	return sum
}

// task: point_segment_distance
func distanceToSegment(px, py, ax, ay, bx, by float64) float64 {
	dx, dy := bx-ax, by-ay
	if dx == 0 && dy == 0 {
		return math.Hypot(px-ax, py-ay)
	}
	t := ((px-ax)*dx + (py-ay)*dy) / (dx*dx + dy*dy)
	t = math.Min(1, math.Max(0, t))
	return math.Hypot(px-(ax+t*dx), py-(ay+t*dy))
}

// task: convex_hull
func convexHull(pts [][2]float64) [][2]float64 {
	if len(pts) < 3 {
		return pts
	}
	sort.Slice(pts, func(i, j int) bool {
		return pts[i][0] < pts[j][0] || pts[i][0] == pts[j][0] && pts[i][1] < pts[j][1]
	})
	cross := func(o, a, b [2]float64) float64 {
		return (a[0]-o[0])*(b[1]-o[1]) - (a[1]-o[1])*(b[0]-o[0])
	}
	var hull [][2]float64
	add := func(p [2]float64, floor int) {
		for n := len(hull); n > floor && cross(hull[n-2], hull[n-1], p) <= 0; n-- {
			hull = hull[:n-1]
		}
		hull = append(hull, p)
	}
	for _, p := range pts {
		add(p, 1)
	}
	for i, upper := len(pts)-2, len(hull); i >= 0; i-- {
		add(pts[i], upper)
	}
	return hull[:len(hull)-1]
}

// task: segment_intersection
func intersectSegments(p, p2, q, q2 [2]float64) ([2]float64, error) {
	rx, ry := p2[0]-p[0], p2[1]-p[1]
	sx, sy := q2[0]-q[0], q2[1]-q[1]
	det := rx*sy - ry*sx
	if det == 0 {
		return p, errors.New("segments are parallel")
	}
	t := ((q[0]-p[0])*sy - (q[1]-p[1])*sx) / det
	u := ((q[0]-p[0])*ry - (q[1]-p[1])*rx) / det
	if t < 0 || t > 1 || u < 0 || u > 1 {
		return p, errors.New("segments do not meet")
	}
	return [2]float64{p[0] + t*rx, p[1] + t*ry}, nil
}

// task: point_in_polygon
func insidePolygon(x, y float64, polygon [][2]float64) bool {
	inside := false
	last := len(polygon) - 1
	for i, vertex := range polygon {
		other := polygon[last]
		last = i
		if (vertex[1] > y) == (other[1] > y) {
			continue
		}
		ratio := (y - vertex[1]) / (other[1] - vertex[1])
		if x < vertex[0]+ratio*(other[0]-vertex[0]) {
			inside = !inside
		}
	}
	return inside
}

// end
