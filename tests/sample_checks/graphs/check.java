import java.util.List;
import java.util.Map;

class Check {
    static void check(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        check(Graphs.buildOrder(Map.of("a", List.of("b", "c"), "b", List.of("c"))).equals(List.of("a", "b", "c")), "kahn");
        check(Graphs.buildOrder(Map.of("a", List.of("b"), "b", List.of("a"))).isEmpty(), "kahn");
        check(Graphs.buildOrder(Map.of()).isEmpty(), "kahn");
        check(Graphs.topologicalOrder(new int[][] {{1, 2}, {3}, {3}, {}}).equals(List.of(0, 2, 1, 3)), "dfs");
        check(Graphs.topologicalOrder(new int[][] {{}, {0}}).equals(List.of(1, 0)), "dfs");
        check(Graphs.topologicalOrder(new int[0][]).isEmpty(), "dfs");
        Map<String, Map<String, Integer>> roads = Map.of(
                "a", Map.of("b", 7, "c", 1), "b", Map.of("d", 1), "c", Map.of("b", 2), "x", Map.of("a", 1));
        check(Graphs.dijkstra(roads, "a").equals(Map.of("a", 0, "c", 1, "b", 3, "d", 4)), "dijkstra");
        check(Graphs.dijkstra(roads, "d").equals(Map.of("d", 0)), "dijkstra");
        check(Graphs.countComponents(5, new int[][] {{0, 1}, {1, 2}, {3, 4}, {0, 2}}) == 2, "components");
        check(Graphs.countComponents(3, new int[0][]) == 3, "components");
        check(Graphs.isBipartite(List.of(List.of(1, 3), List.of(0, 2), List.of(1, 3), List.of(0, 2))), "bipartite");
        check(!Graphs.isBipartite(List.of(List.of(), List.of(2, 3), List.of(1, 3), List.of(1, 2))), "bipartite");
        check(Graphs.isBipartite(List.of()), "bipartite");
        List<int[]> cuts = Graphs.findBridges(4, new int[][] {{0, 1}, {1, 2}, {2, 0}, {2, 3}});
        check(cuts.size() == 1 && cuts.get(0)[0] == 2 && cuts.get(0)[1] == 3, "bridges");
        check(Graphs.findBridges(2, new int[][] {{0, 1}, {1, 0}}).isEmpty(), "bridges");
        check(Graphs.findBridges(3, new int[][] {{0, 1}, {1, 2}}).size() == 2, "bridges");
    }
}
