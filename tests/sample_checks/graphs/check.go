package main

import (
	"fmt"
	"math"
)

func same(got interface{}, want, name string) {
	if fmt.Sprint(got) != want {
		panic(fmt.Sprintf("%s: got %v, want %s", name, got, want))
	}
}

func main() {
	same(scheduleTasks(3, [][2]int{{2, 1}, {1, 0}}), "[2 1 0]", "topological_sort_kahn")
	same(scheduleTasks(2, [][2]int{{0, 1}, {1, 0}}), "[]", "topological_sort_kahn")
	same(scheduleTasks(0, nil), "[]", "topological_sort_kahn")
	sorted, err := topoSort([][]int{{1, 2}, {3}, {3}, {}})
	same(sorted, "[0 2 1 3]", "topological_sort_dfs")
	same(err, "<nil>", "topological_sort_dfs")
	_, err = topoSort([][]int{{1}, {0}})
	same(err != nil, "true", "topological_sort_dfs")
	roads := [][]float64{{0, 7, 1, 0}, {0, 0, 0, 1}, {0, 2, 0, 0}, {0, 0, 0, 0}}
	same(dijkstra(roads, 0), "[0 3 1 4]", "dijkstra_distances")
	same(dijkstra(roads, 3)[0], fmt.Sprint(math.Inf(1)), "dijkstra_distances")
	same(countComponents(5, [][2]int{{0, 1}, {1, 2}, {3, 4}, {0, 2}}), "2", "connected_components_count")
	same(countComponents(3, nil), "3", "connected_components_count")
	same(isBipartite(map[string][]string{"a": {"b"}, "b": {"a", "c"}, "c": {"b"}}), "true", "graph_is_bipartite")
	same(isBipartite(map[string][]string{"z": nil, "a": {"b", "c"}, "b": {"a", "c"}, "c": {"a", "b"}}), "false", "graph_is_bipartite")
	same(isBipartite(nil), "true", "graph_is_bipartite")
	same(criticalConnections([][]int{{1, 2}, {0, 2}, {0, 1, 3}, {2}}), "[[2 3]]", "graph_bridges")
	same(criticalConnections([][]int{{1, 1}, {0, 0}}), "[]", "graph_bridges")
	same(criticalConnections([][]int{{1}, {0, 2}, {1}}), "[[1 2] [0 1]]", "graph_bridges")
}
