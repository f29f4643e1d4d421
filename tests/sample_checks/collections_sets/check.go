package main

import (
	"fmt"
	"reflect"
	"strings"
)

func expect(task string, got, want interface{}) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("%s: got %v, want %v", task, got, want))
	}
}

func main() {
	expect("unique_in_order", UniqueInOrder([]int{3, 1, 3, 2, 1}), []int{3, 1, 2})
	expect("unique_in_order", UniqueInOrder([]string{}), []string{})
	expect("sorted_distinct", SortedDistinct([]string{"b", "a", "c", "b"}), []string{"a", "b", "c"})
	expect("sorted_distinct", SortedDistinct(nil), []string{})
	expect("symmetric_difference", SymmetricDifference([]int{1, 2, 3}, []int{3, 4}), []int{1, 2, 4})
	expect("symmetric_difference", len(SymmetricDifference([]int{1, 1}, []int{1})), 0)
	expect("power_set", PowerSet([]string{"a", "b"}), [][]string{nil, {"a"}, {"b"}, {"a", "b"}})
	expect("power_set", len(PowerSet([]int{})), 1)
	got := IntersectAll([]string{"a", "b", "c", "b"}, []string{"b", "c"}, []string{"c", "b", "b"})
	expect("intersect_all", got, []string{"c", "b"})
	expect("intersect_all", len(IntersectAll([]string{"a"}, []string{"b"}, []string{"a"})), 0)
	expect("intersect_all", len(IntersectAll()), 0)
	banana := strings.Split("banana", "")
	expect("multiset_contains", MultisetContains(banana, strings.Split("nab", "")), true)
	expect("multiset_contains", MultisetContains(banana, strings.Split("bnnn", "")), false)
	expect("multiset_contains", MultisetContains(nil, nil), true)
}
