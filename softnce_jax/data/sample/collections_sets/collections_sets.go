package main

import "sort"

// task: unique_in_order
func UniqueInOrder[T comparable](items []T) []T {
	seen := make(map[T]struct{}, len(items))
	kept := make([]T, 0, len(items))
	for _, item := range items {
		if _, dup := seen[item]; dup {
			continue
		}
		seen[item] = struct{}{}
		kept = append(kept, item)
	}
	return kept
}

// task: sorted_distinct
func SortedDistinct(values []string) []string {
	ordered := append([]string{}, values...)
	sort.Strings(ordered)
	w := 0
	for r := range ordered {
		if r == 0 || ordered[r] != ordered[r-1] {
			ordered[w] = ordered[r]
			w++
		}
	}
	return ordered[:w]
}

// task: symmetric_difference
func SymmetricDifference(left, right []int) []int {
	side := map[int]int{}
	for _, n := range left {
		side[n] |= 1
	}
	for _, n := range right {
		side[n] |= 2
	}
	var result []int
	for n, where := range side {
		if where != 3 {
			result = append(result, n)
		}
	}
	sort.Ints(result)
	return result
}

// task: power_set
func PowerSet[E any](elements []E) [][]E {
	total := 1 << uint(len(elements))
	subsets := make([][]E, total)
	for mask := range subsets {
		for bit, e := range elements {
			if mask&(1<<uint(bit)) != 0 {
				subsets[mask] = append(subsets[mask], e)
			}
		}
	}
	return subsets
}

// task: intersect_all
func IntersectAll(lists ...[]string) []string {
	lastSeen := map[string]int{}
	var common []string
	for round, list := range lists {
		for _, s := range list {
			if lastSeen[s] != round {
				continue
			}
			lastSeen[s] = round + 1
			if round == len(lists)-1 {
				common = append(common, s)
			}
		}
	}
	return common
}

// task: multiset_contains
func MultisetContains(bag, wanted []string) bool {
	if len(wanted) > len(bag) {
		return false
	}
	stock := make(map[string]int)
	for _, thing := range bag {
		stock[thing]++
	}
	for _, thing := range wanted {
		stock[thing]--
		if stock[thing] < 0 {
			return false
		}
	}
	return true
}

// end
