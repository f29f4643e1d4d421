package main

import "math"

func main() {
	that := func(ok bool, task string) {
		if !ok {
			panic(task)
		}
	}
	odd := []int{1, 3, 5, 7, 9}
	that(binarySearch(odd, 1) == 0 && binarySearch(odd, 9) == 4, "binary")
	that(binarySearch(odd, 4) == -1, "binary absent")
	that(binarySearch(nil, 4) == -1, "binary empty")
	pos, ok := firstOccurrence([]int{1, 2, 2, 2, 3}, 2)
	that(ok && pos == 1, "first")
	_, ok = firstOccurrence([]int{1, 2}, 9)
	that(!ok, "first absent")
	_, ok = firstOccurrence(nil, 9)
	that(!ok, "first empty")
	value, err := kthLargest([]int{3, 9, 1, 9, 5}, 3)
	that(err == nil && value == 5, "kth")
	_, err = kthLargest([]int{4}, 2)
	that(err != nil, "kth range")
	i, j, ok := pairWithSum([]int{2, 7, 11, 15}, 18)
	that(ok && i == 1 && j == 2, "pair")
	_, _, ok = pairWithSum([]int{4}, 8)
	that(!ok, "pair none")
	that(closest([]float64{1, 8, 12}, 9) == 8, "closest")
	that(math.IsNaN(closest(nil, 9)), "closest empty")
	grid := [][]int{{1, 4, 7}, {2, 5, 8}, {3, 6, 9}}
	that(searchMatrix(grid, 6) && searchMatrix(grid, 7), "matrix")
	that(!searchMatrix(grid, 10) && !searchMatrix(grid, 0), "matrix absent")
	that(!searchMatrix(nil, 1), "matrix empty")
}
