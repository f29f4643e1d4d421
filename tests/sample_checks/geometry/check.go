package main

import (
	"fmt"
	"reflect"
)

func main() {
	equal := func(task string, got, want interface{}) {
		if !reflect.DeepEqual(got, want) {
			panic(fmt.Sprintf("%s: got %v, want %v", task, got, want))
		}
	}
	equal("polygon_area_shoelace", polygonArea([]float64{0, 4, 4}, []float64{0, 0, 3}), 6.0)
	equal("polygon_area_shoelace", polygonArea([]float64{0, 4, 4, 2, 0}, []float64{0, 0, 4, 1, 4}), 10.0)
	equal("polygon_area_shoelace", polygonArea(nil, nil), 0.0)

	equal("polygon_area_fan", triangleFanArea([]complex128{0, 4, 4 + 3i}), 6.0)
	equal("polygon_area_fan", triangleFanArea([]complex128{4i, 2 + 1i, 4 + 4i, 4, 0}), 10.0)
	equal("polygon_area_fan", triangleFanArea([]complex128{1 + 1i, 5 + 5i}), 0.0)
	equal("polygon_area_fan", triangleFanArea([]complex128{1 + 2i, 5 + 2i, 5 + 5i}), 6.0)

	equal("point_segment_distance", distanceToSegment(0, 5, -1, 0, 1, 0), 5.0)
	equal("point_segment_distance", distanceToSegment(4, 4, 0, 0, 1, 0), 5.0)
	equal("point_segment_distance", distanceToSegment(3, 4, 0, 0, 0, 0), 5.0)

	hull := convexHull([][2]float64{{0, 0}, {2, 0}, {1, 1}, {2, 2}, {0, 2}, {1, 0}})
	equal("convex_hull", hull, [][2]float64{{0, 0}, {2, 0}, {2, 2}, {0, 2}})
	equal("convex_hull", convexHull([][2]float64{{1, 1}}), [][2]float64{{1, 1}})

	at, err := intersectSegments([2]float64{0, 0}, [2]float64{2, 2}, [2]float64{0, 2}, [2]float64{2, 0})
	equal("segment_intersection", at, [2]float64{1, 1})
	equal("segment_intersection", err, nil)
	at, _ = intersectSegments([2]float64{1, 2}, [2]float64{5, 4}, [2]float64{3, 1}, [2]float64{3, 9})
	equal("segment_intersection", at, [2]float64{3, 3})
	_, err = intersectSegments([2]float64{0, 0}, [2]float64{1, 1}, [2]float64{3, 0}, [2]float64{3, 9})
	equal("segment_intersection", err != nil, true)
	_, err = intersectSegments([2]float64{0, 0}, [2]float64{1, 0}, [2]float64{0, 1}, [2]float64{1, 1})
	equal("segment_intersection", err != nil, true)

	notched := [][2]float64{{0, 0}, {4, 0}, {4, 4}, {2, 1}, {0, 4}}
	equal("point_in_polygon", insidePolygon(1, 1, notched), true)
	equal("point_in_polygon", insidePolygon(2, 3, notched), false)
	equal("point_in_polygon", insidePolygon(-1, 2, notched), false)
}
