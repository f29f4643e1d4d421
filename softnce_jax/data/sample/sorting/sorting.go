package main

import (
	"sort"
	"strconv"
	"strings"
)

// task: bubble_sort
func bubbleSort(values []int) []int {
	items := append([]int{}, values...)
	for swapped := true; swapped; {
		swapped = false
		for i := 1; i < len(items); i++ {
			if items[i-1] > items[i] {
				items[i-1], items[i] = items[i], items[i-1]
				swapped = true
			}
		}
	}
	return items
}

// task: selection_sort
func selectionSort(nums []int) {
	for start := range nums {
		lowest := start
		for j, n := range nums[start:] {
			if n < nums[lowest] {
				lowest = start + j
			}
		}
		nums[start], nums[lowest] = nums[lowest], nums[start]
	}
}

// task: merge_sorted_lists
func mergeSorted(left, right []int) []int {
	merged := make([]int, 0, len(left)+len(right))
	for len(left) > 0 && len(right) > 0 {
		if left[0] <= right[0] {
			merged = append(merged, left[0])
			left = left[1:]
		} else {
			merged = append(merged, right[0])
			right = right[1:]
		}
	}
	merged = append(merged, left...)
	return append(merged, right...)
}

// task: sort_people_by_age_then_name
func sortByAgeThenName(ages map[string]int) []string {
	names := make([]string, 0, len(ages))
	for name := range ages {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := names[i], names[j]
		if ages[a] != ages[b] {
			return ages[a] > ages[b]
		}
		return a < b
	})
	return names
}

// task: counting_sort
func countingSort(values []int, max int) []int {
	counts := make([]int, max+1)
	for _, v := range values {
		counts[v]++
	}
	pos := 0
	sorted := make([]int, len(values))
	for v, count := range counts {
		for ; count > 0; count-- {
			sorted[pos] = v
			pos++
		}
	}
	return sorted
}

// task: natural_sort
func naturalSort(names []string) {
	digits := "0123456789"
	split := func(s string) (string, int, string) {
		start := strings.IndexAny(s, digits)
		if start < 0 {
			return s, -1, ""
		}
		rest := strings.TrimLeft(s[start:], digits)
		number, _ := strconv.Atoi(s[start : len(s)-len(rest)])
		return s[:start], number, rest
	}
	var less func(a, b string) bool
	less = func(a, b string) bool {
		textA, numA, restA := split(a)
		textB, numB, restB := split(b)
		if textA != textB {
			return textA < textB
		}
		if numA != numB || restA == restB {
			return numA < numB
		}
		return less(restA, restB)
	}
	sort.SliceStable(names, func(i, j int) bool { return less(names[i], names[j]) })
}

// end
