import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

class Check {
    static void verify(String task, boolean ok) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        verify("balanced_brackets", Queues.isBalanced("f(a[0], {b: (c)})"));
        verify("balanced_brackets", Queues.isBalanced(""));
        verify("balanced_brackets", !Queues.isBalanced("(]"));
        verify("balanced_brackets", !Queues.isBalanced("())("));
        verify("balanced_brackets", !Queues.isBalanced("(("));

        verify("bracket_pair_removal", Queues.properlyNested("f(a[0], {b: (c)})"));
        verify("bracket_pair_removal", Queues.properlyNested(""));
        verify("bracket_pair_removal", !Queues.properlyNested("([)]"));
        verify("bracket_pair_removal", !Queues.properlyNested("}"));

        verify("sliding_window_max", Arrays.equals(
            Queues.windowMaxima(new int[] {1, 3, -1, -3, 5, 3, 6, 7}, 3), new int[] {3, 3, 5, 5, 6, 7}));
        verify("sliding_window_max", Arrays.equals(
            Queues.windowMaxima(new int[] {4, 2}, 1), new int[] {4, 2}));
        verify("sliding_window_max", Queues.windowMaxima(new int[] {1}, 2).length == 0);

        verify("next_greater_element", Arrays.equals(
            Queues.nextGreater(new int[] {2, 1, 2, 4, 3}), new int[] {4, 2, 4, -1, -1}));
        verify("next_greater_element", Queues.nextGreater(new int[0]).length == 0);

        Map<String, Integer> jobs = new LinkedHashMap<>();
        jobs.put("a", 3);
        jobs.put("b", 1);
        jobs.put("c", 2);
        Map<String, Integer> finished = Queues.roundRobin(jobs, 2);
        verify("round_robin_schedule", finished.equals(Map.of("b", 3, "c", 5, "a", 6)));
        verify("round_robin_schedule",
            new ArrayList<>(finished.keySet()).equals(List.of("b", "c", "a")));
        verify("round_robin_schedule", Queues.roundRobin(Map.of(), 2).isEmpty());

        verify("priority_dispatch", Queues.serveByPriority(
            List.of("low", "fire", "x", "flood"), Map.of("low", 1, "fire", 9, "x", 5, "flood", 9))
            .equals(List.of("fire", "flood", "x", "low")));
        verify("priority_dispatch", Queues.serveByPriority(List.of(), Map.of()).isEmpty());
    }
}
