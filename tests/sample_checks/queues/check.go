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
	equal("balanced_brackets", isBalanced("f(a[0], {b: (c)})"), true)
	equal("balanced_brackets", isBalanced(""), true)
	equal("balanced_brackets", isBalanced("(]"), false)
	equal("balanced_brackets", isBalanced("())("), false)
	equal("balanced_brackets", isBalanced("(("), false)

	equal("bracket_pair_removal", properlyNested("f(a[0], {b: (c)})"), true)
	equal("bracket_pair_removal", properlyNested(""), true)
	equal("bracket_pair_removal", properlyNested("([)]"), false)
	equal("bracket_pair_removal", properlyNested("}"), false)

	equal("sliding_window_max", windowMaxima([]int{1, 3, -1, -3, 5, 3, 6, 7}, 3), []int{3, 3, 5, 5, 6, 7})
	equal("sliding_window_max", windowMaxima([]int{4, 2}, 1), []int{4, 2})
	equal("sliding_window_max", len(windowMaxima([]int{1}, 2)), 0)

	equal("next_greater_element", nextGreater([]int{2, 1, 2, 4, 3}), map[int]int{0: 4, 1: 2, 2: 4})
	equal("next_greater_element", nextGreater(nil), map[int]int{})

	done := roundRobin([]string{"a", "b", "c"}, []int{3, 1, 2}, 2)
	equal("round_robin_schedule", done, map[string]int{"b": 3, "c": 5, "a": 6})
	equal("round_robin_schedule", roundRobin([]string{"idle"}, []int{0}, 1), map[string]int{"idle": 0})
	equal("round_robin_schedule", roundRobin(nil, nil, 2), map[string]int{})

	var order []int
	handle := func(arrival int) { order = append(order, arrival) }
	serveByPriority([]int{1, 9, 5, 9}, handle)
	equal("priority_dispatch", order, []int{1, 3, 2, 0})
	serveByPriority(nil, handle)
	equal("priority_dispatch", len(order), 4)
}
