package main

import "reflect"

func main() {
	same := func(task string, got, want interface{}) {
		if !reflect.DeepEqual(got, want) {
			panic(task)
		}
	}
	same("bubble", bubbleSort([]int{3, 1, 2, 2}), []int{1, 2, 2, 3})
	same("bubble empty", bubbleSort(nil), []int{})
	nums := []int{3, 1, 2, 1}
	selectionSort(nums)
	same("selection", nums, []int{1, 1, 2, 3})
	nums = []int{}
	selectionSort(nums)
	same("selection empty", nums, []int{})
	same("merge", mergeSorted([]int{1, 4, 9}, []int{2, 3, 10}), []int{1, 2, 3, 4, 9, 10})
	same("merge empty", mergeSorted(nil, []int{7}), []int{7})
	ages := map[string]int{"bob": 30, "eve": 41, "ann": 30}
	same("people", sortByAgeThenName(ages), []string{"eve", "ann", "bob"})
	same("people empty", sortByAgeThenName(nil), []string{})
	same("counting", countingSort([]int{4, 0, 2, 4, 1}, 4), []int{0, 1, 2, 4, 4})
	same("counting empty", countingSort(nil, 0), []int{})
	names := []string{"img10", "img2", "img1", "img"}
	naturalSort(names)
	same("natural", names, []string{"img", "img1", "img2", "img10"})
	names = []string{"a1b10", "a1b9", "a1", "a1"}
	naturalSort(names)
	same("natural mixed", names, []string{"a1", "a1", "a1b9", "a1b10"})
}
