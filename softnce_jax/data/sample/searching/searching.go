package main

import (
	"errors"
	"math"
	"sort"
)

// task: binary_search
func binarySearch(nums []int, target int) int {
	low, high := 0, len(nums)-1
	for low <= high {
		mid := low + (high-low)/2
		switch {
		case nums[mid] == target:
			return mid
		case nums[mid] < target:
			low = mid + 1
		default:
			high = mid - 1
		}
	}
	return -1
}

// task: first_occurrence_in_sorted
func firstOccurrence(sorted []int, number int) (int, bool) {
	pos := sort.SearchInts(sorted, number)
	if pos == len(sorted) || sorted[pos] != number {
		return 0, false
	}
	return pos, true
}

// task: kth_largest
func kthLargest(values []int, k int) (int, error) {
	if k < 1 || k > len(values) {
		return 0, errors.New("k out of range")
	}
	ranked := make([]int, len(values))
	copy(ranked, values)
	sort.Sort(sort.Reverse(sort.IntSlice(ranked)))
	return ranked[k-1], nil
}

// task: pair_with_sum
func pairWithSum(prices []int, total int) (i, j int, ok bool) {
	seen := make(map[int]int, len(prices))
	for j, price := range prices {
		if i, found := seen[total-price]; found {
			return i, j, true
		}
		seen[price] = j
	}
	return -1, -1, false
}

// task: closest_value
func closest(values []float64, wanted float64) float64 {
	best := math.NaN()
	smallest := math.Inf(1)
	for _, v := range values {
		if gap := math.Abs(v - wanted); gap < smallest {
			best, smallest = v, gap
		}
	}
	return best
}

// task: search_sorted_matrix
func searchMatrix(matrix [][]int, target int) bool {
	row, col := len(matrix)-1, 0
	for row >= 0 && col < len(matrix[row]) {
		if cell := matrix[row][col]; cell == target {
			return true
		} else if cell > target {
			row--
		} else {
			col++
		}
	}
	return false
}

// end
