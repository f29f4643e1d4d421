package main

import (
	"container/list"
	"sort"
	"strings"
)

// task: balanced_brackets
func isBalanced(text string) bool {
	closing := map[rune]rune{'(': ')', '[': ']', '{': '}'}
	var stack []rune
	for _, char := range text {
		if want, ok := closing[char]; ok {
			stack = append(stack, want)
		} else if strings.ContainsRune(")]}", char) {
			top := len(stack) - 1
			if top < 0 || stack[top] != char {
				return false
			}
			stack = stack[:top]
		}
	}
	return len(stack) == 0
}

// task: bracket_pair_removal
func properlyNested(source string) bool {
	rest := strings.Map(func(r rune) rune {
		if strings.IndexRune("()[]{}", r) < 0 {
			return -1
		}
		return r
	}, source)
	remover := strings.NewReplacer("()", "", "[]", "", "{}", "")
	for {
		shorter := remover.Replace(rest)
		if shorter == rest {
			return rest == ""
		}
		rest = shorter
	}
}

// task: sliding_window_max
func windowMaxima(values []int, size int) []int {
	var deque, maxima []int
	for i, value := range values {
		for len(deque) > 0 && values[deque[len(deque)-1]] <= value {
			deque = deque[:len(deque)-1]
		}
		deque = append(deque, i)
		if deque[0] == i-size {
			deque = deque[1:]
		}
		if i+1 >= size {
			maxima = append(maxima, values[deque[0]])
		}
	}
	return maxima
}

// task: next_greater_element
func nextGreater(numbers []int) map[int]int {
	next := make(map[int]int)
	pending := list.New()
	for index, number := range numbers {
		for pending.Len() > 0 && numbers[pending.Back().Value.(int)] < number {
			smaller := pending.Remove(pending.Back())
			next[smaller.(int)] = number
		}
		pending.PushBack(index)
	}
	return next
}

// task: round_robin_schedule
func roundRobin(names []string, bursts []int, quantum int) map[string]int {
	remaining := append([]int(nil), bursts...)
	finished := make(map[string]int, len(names))
	clock := 0
	for len(finished) < len(names) {
		for job, left := range remaining {
			if _, done := finished[names[job]]; done {
				continue
			}
			if left > quantum {
				clock += quantum
				remaining[job] -= quantum
			} else {
				clock += left
				finished[names[job]] = clock
			}
		}
	}
	return finished
}

// task: priority_dispatch
func serveByPriority(priorities []int, handle func(arrival int)) {
	var line []int
	for arrival, priority := range priorities {
		spot := sort.Search(len(line), func(i int) bool {
			return priorities[line[i]] < priority
		})
		line = append(line, 0)
		copy(line[spot+1:], line[spot:])
		line[spot] = arrival
	}
	for _, arrival := range line {
		handle(arrival)
	}
}

// end
