import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

class Graphs {
    // task: topological_sort_kahn
    static List<String> buildOrder(Map<String, List<String>> dependents) {
        Map<String, Integer> indegree = new TreeMap<>();
        dependents.forEach((task, followers) -> {
            indegree.putIfAbsent(task, 0);
            followers.forEach(name -> indegree.merge(name, 1, Integer::sum));
        });
        Queue<String> ready = new LinkedList<>(indegree.keySet());
        ready.removeIf(name -> indegree.get(name) > 0);
        List<String> order = new ArrayList<>();
        while (!ready.isEmpty()) {
            String done = ready.remove();
            order.add(done);
            for (String name : dependents.getOrDefault(done, List.of())) {
                if (indegree.merge(name, -1, Integer::sum) == 0) {
                    ready.add(name);
                }
            }
        }
        return order;
    }

    // task: topological_sort_dfs
    static LinkedList<Integer> topologicalOrder(int[][] graph) {
        LinkedList<Integer> sorted = new LinkedList<>();
        Set<Integer> visited = new HashSet<>();
        var search = new Object() {
            void visit(int vertex) {
                if (!visited.add(vertex)) {
                    return;
                }
                for (int successor : graph[vertex]) {
                    visit(successor);
                }
                sorted.addFirst(vertex);
            }
        };
        IntStream.range(0, graph.length).forEach(search::visit);
        return sorted;
    }

    // task: dijkstra_distances
    static Map<String, Integer> dijkstra(Map<String, Map<String, Integer>> graph, String source) {
        Map<String, Integer> distances = new HashMap<>();
        PriorityQueue<Map.Entry<String, Integer>> heap =
                new PriorityQueue<>(Map.Entry.comparingByValue());
        heap.add(Map.entry(source, 0));
        while (!heap.isEmpty()) {
            var closest = heap.poll();
            if (distances.putIfAbsent(closest.getKey(), closest.getValue()) != null) {
                continue;
            }
            graph.getOrDefault(closest.getKey(), Map.of()).forEach((target, weight) -> {
                if (!distances.containsKey(target)) {
                    heap.add(Map.entry(target, closest.getValue() + weight));
                }
            });
        }
        return distances;
    }

    // task: connected_components_count
    static int countComponents(int n, int[][] edges) {
        int[] parent = IntStream.range(0, n).toArray();
        IntUnaryOperator find = x -> {
            while (parent[x] != x) {
                parent[x] = parent[parent[x]];
                x = parent[x];
            }
            return x;
        };
        int remaining = n;
        for (int[] edge : edges) {
            int a = find.applyAsInt(edge[0]);
            int b = find.applyAsInt(edge[1]);
            if (a != b) {
                parent[a] = b;
                remaining--;
            }
        }
        return remaining;
    }

    // task: graph_is_bipartite
    static boolean isBipartite(List<List<Integer>> adjacency) {
        Boolean[] side = new Boolean[adjacency.size()];
        for (int start = 0; start < side.length; start++) {
            if (side[start] != null) {
                continue;
            }
            side[start] = true;
            ArrayDeque<Integer> stack = new ArrayDeque<>(List.of(start));
            while (!stack.isEmpty()) {
                int current = stack.pop();
                for (int neighbor : adjacency.get(current)) {
                    if (side[neighbor] == side[current]) {
                        return false;
                    }
                    if (side[neighbor] == null) {
                        side[neighbor] = !side[current];
                        stack.push(neighbor);
                    }
                }
            }
        }
        return true;
    }

    // task: graph_bridges
    static List<int[]> findBridges(int n, int[][] connections) {
        List<int[]> bridges = new ArrayList<>();
        for (int[] cut : connections) {
            boolean[] reached = new boolean[n];
            reached[cut[0]] = true;
            boolean growing = true;
            while (growing) {
                growing = false;
                for (int[] link : connections) {
                    if (link != cut && reached[link[0]] != reached[link[1]]) {
                        reached[link[0]] = reached[link[1]] = true;
                        growing = true;
                    }
                }
            }
            if (!reached[cut[1]]) {
                bridges.add(cut);
            }
        }
        return bridges;
    }
    // end
}
