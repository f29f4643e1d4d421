import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.Stack;

class Queues {

    // task: balanced_brackets
    static boolean isBalanced(String text) {
        String openers = "([{";
        String closers = ")]}";
        Deque<Integer> stack = new ArrayDeque<>();
        for (char c : text.toCharArray()) {
            if (openers.indexOf(c) >= 0) {
                stack.push(openers.indexOf(c));
            } else if (closers.indexOf(c) >= 0) {
                if (stack.isEmpty() || stack.pop() != closers.indexOf(c)) {
                    return false;
                }
            }
        }
        return stack.isEmpty();
    }

    // task: bracket_pair_removal
    static boolean properlyNested(String source) {
        String rest = source.replaceAll("[^()\\[\\]{}]", "");
        int before = rest.length() + 1;
        while (rest.length() < before) {
            before = rest.length();
            rest = rest.replace("()", "").replace("[]", "").replace("{}", "");
        }
        return rest.isEmpty();
    }

    // task: sliding_window_max
    static int[] windowMaxima(int[] values, int size) {
        int[] maxima = new int[Math.max(0, values.length - size + 1)];
        Deque<Integer> candidates = new ArrayDeque<>();
        for (int i = 0; i < values.length; i++) {
            while (!candidates.isEmpty() && values[candidates.peekLast()] <= values[i]) {
                candidates.pollLast();
            }
            candidates.addLast(i);
            if (candidates.peekFirst() <= i - size) {
                candidates.pollFirst();
            }
            if (i >= size - 1) {
                maxima[i - size + 1] = values[candidates.peekFirst()];
            }
        }
        return maxima;
    }

    // task: next_greater_element
    static int[] nextGreater(int[] items) {
        int[] result = new int[items.length];
        Arrays.fill(result, -1);
        Stack<Integer> waiting = new Stack<>();
        for (int position = 0; position < items.length; position++) {
            while (!waiting.empty() && items[waiting.peek()] < items[position]) {
                result[waiting.pop()] = items[position];
            }
            waiting.push(position);
        }
        return result;
    }

    // task: round_robin_schedule
    static Map<String, Integer> roundRobin(Map<String, Integer> jobs, int quantum) {
        Queue<String> ready = new LinkedList<>(jobs.keySet());
        Map<String, Integer> remaining = new LinkedHashMap<>(jobs);
        Map<String, Integer> finished = new LinkedHashMap<>();
        int clock = 0;
        while (!ready.isEmpty()) {
            String job = ready.remove();
            int slice = Math.min(quantum, remaining.get(job));
            clock += slice;
            if (remaining.merge(job, -slice, Integer::sum) > 0) {
                ready.add(job);
            } else {
                finished.put(job, clock);
            }
        }
        return finished;
    }

    // task: priority_dispatch
    static List<String> serveByPriority(List<String> tasks, Map<String, Integer> urgency) {
        Comparator<Integer> mostUrgent = Comparator.comparing(ticket -> -urgency.get(tasks.get(ticket)));
        PriorityQueue<Integer> heap = new PriorityQueue<>(mostUrgent.thenComparing(Comparator.naturalOrder()));
        for (int ticket = 0; ticket < tasks.size(); ticket++) {
            heap.offer(ticket);
        }
        List<String> served = new ArrayList<>();
        while (!heap.isEmpty()) {
            served.add(tasks.get(heap.poll()));
        }
        return served;
    }

    // end
}
