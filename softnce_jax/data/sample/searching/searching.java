import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;

class Searching {
    // task: binary_search
    static int binarySearch(int[] sorted, int key) {
        int low = 0;
        int high = sorted.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (sorted[middle] < key) {
                low = middle + 1;
            } else if (sorted[middle] > key) {
                high = middle - 1;
            } else {
                return middle;
            }
        }
        return -1;
    }

    // task: first_occurrence_in_sorted
    static int firstOccurrence(List<Integer> numbers, int wanted) {
        int from = 0;
        int to = numbers.size();
        while (from < to) {
            int half = from + (to - from) / 2;
            if (numbers.get(half) >= wanted) {
                to = half;
            } else {
                from = half + 1;
            }
        }
        return from < numbers.size() && numbers.get(from) == wanted ? from : -1;
    }

    // task: kth_largest
    static int kthLargest(int[] values, int k) {
        if (k < 1 || k > values.length) {
            throw new IllegalArgumentException("k out of range: " + k);
        }
        PriorityQueue<Integer> top = new PriorityQueue<>(k + 1);
        for (int value : values) {
            top.offer(value);
            if (top.size() > k) {
                top.poll();
            }
        }
        return top.peek();
    }

    // task: pair_with_sum
    static int[] twoSum(int[] nums, int target) {
        Map<Integer, Integer> positions = new HashMap<>();
        for (int i = 0; i < nums.length; i++) {
            Integer other = positions.get(target - nums[i]);
            if (other != null) {
                return new int[] {other, i};
            }
            positions.put(nums[i], i);
        }
        return null;
    }

    // task: closest_value
    static Optional<Double> closest(List<Double> candidates, double goal) {
        Comparator<Double> byDistance = Comparator.comparingDouble(c -> Math.abs(c - goal));
        return candidates.stream()
            .filter(Double::isFinite)
            .min(byDistance.thenComparing(Comparator.naturalOrder()));
    }

    // task: search_sorted_matrix
    static boolean contains(int[][] grid, int number) {
        int column = grid.length == 0 ? -1 : grid[0].length - 1;
        for (int[] row : grid) {
            while (column >= 0 && row[column] > number) {
                column--;
            }
            if (column >= 0 && row[column] == number) {
                return true;
            }
        }
        return false;
    }
    // end
}
