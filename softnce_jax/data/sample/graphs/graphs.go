package main

import (
	"errors"
	"math"
)

// task: topological_sort_kahn
func scheduleTasks(n int, prerequisites [][2]int) []int {
	unlocks := make([][]int, n)
	blocked := make([]int, n)
	for _, p := range prerequisites {
		unlocks[p[0]] = append(unlocks[p[0]], p[1])
		blocked[p[1]]++
	}
	order := make([]int, 0, n)
	for task, count := range blocked {
		if count == 0 {
			order = append(order, task)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, task := range unlocks[order[i]] {
			if blocked[task]--; blocked[task] == 0 {
				order = append(order, task)
			}
		}
	}
	return order
}

// task: topological_sort_dfs
func topoSort(graph [][]int) (sorted []int, err error) {
	state := make([]rune, len(graph))
	var visit func(int)
	visit = func(v int) {
		switch state[v] {
		case 'o':
			err = errors.New("graph contains a cycle")
		case 0:
			state[v] = 'o'
			for _, successor := range graph[v] {
				visit(successor)
			}
			state[v] = 'x'
			sorted = append(sorted, v)
		}
	}
	for v := range graph {
		visit(v)
	}
	for l, r := 0, len(sorted)-1; l < r; l, r = l+1, r-1 {
		sorted[l], sorted[r] = sorted[r], sorted[l]
	}
	return sorted, err
}

// task: dijkstra_distances
func dijkstra(weights [][]float64, source int) []float64 {
	dist := make([]float64, len(weights))
	for i := range dist {
		dist[i] = math.Inf(1)
	}
	dist[source] = 0
	final := make([]bool, len(weights))
	for range weights {
		u := -1
		for v, d := range dist {
			if !final[v] && (u < 0 || d < dist[u]) {
				u = v
			}
		}
		final[u] = true
		for v, w := range weights[u] {
			if w > 0 {
				dist[v] = math.Min(dist[v], dist[u]+w)
			}
		}
	}
	return dist
}

// task: connected_components_count
func countComponents(n int, edges [][2]int) int {
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	find := func(x int) int {
		for parent[x] != x {
			parent[x] = parent[parent[x]]
			x = parent[x]
		}
		return x
	}
	components := n
	for _, e := range edges {
		if a, b := find(e[0]), find(e[1]); a != b {
			parent[a] = b
			components--
		}
	}
	return components
}

// task: graph_is_bipartite
func isBipartite(neighbors map[string][]string) bool {
	color := map[string]bool{}
	for start := range neighbors {
		if _, painted := color[start]; painted {
			continue
		}
		color[start] = true
		for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
			head := queue[0]
			for _, other := range neighbors[head] {
				shade, painted := color[other]
				if painted && shade == color[head] {
					return false
				}
				if !painted {
					color[other] = !color[head]
					queue = append(queue, other)
				}
			}
		}
	}
	return true
}

// task: graph_bridges
func criticalConnections(adj [][]int) (bridges [][2]int) {
	entered, lowest := make([]int, len(adj)), make([]int, len(adj))
	timer := 0
	var dfs func(node, from int)
	dfs = func(node, from int) {
		timer++
		entered[node], lowest[node] = timer, timer
		for _, next := range adj[node] {
			if next == from {
				from = -1
				continue
			}
			if entered[next] == 0 {
				if dfs(next, node); lowest[next] > entered[node] {
					bridges = append(bridges, [2]int{node, next})
				}
			}
			if lowest[next] < lowest[node] {
				lowest[node] = lowest[next]
			}
		}
	}
	dfs(0, -1)
	return bridges
}

// end
