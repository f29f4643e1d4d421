import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

class Sorting {
    // task: bubble_sort
    static void bubbleSort(int[] values) {
        boolean swapped = true;
        for (int end = values.length - 1; swapped && end > 0; end--) {
            swapped = false;
            for (int i = 0; i < end; i++) {
                if (values[i] > values[i + 1]) {
                    int held = values[i];
                    values[i] = values[i + 1];
                    values[i + 1] = held;
                    swapped = true;
                }
            }
        }
    }

    // task: selection_sort
    static int[] selectionSort(int[] input) {
        int[] array = input.clone();
        for (int start = 0; start < array.length; start++) {
            int lowest = start;
            for (int j = start; j < array.length; j++) {
                lowest = array[j] < array[lowest] ? j : lowest;
            }
            int first = array[start];
            array[start] = array[lowest];
            array[lowest] = first;
        }
        return array;
    }

    // task: merge_sorted_lists
    static <T extends Comparable<T>> List<T> mergeSorted(List<T> left, List<T> right) {
        List<T> merged = new ArrayList<>(left.size() + right.size());
        int taken = 0;
        for (T item : left) {
            while (taken < right.size() && right.get(taken).compareTo(item) < 0) {
                merged.add(right.get(taken++));
            }
            merged.add(item);
        }
        merged.addAll(right.subList(taken, right.size()));
        return merged;
    }

    // task: sort_people_by_age_then_name
    static List<String> oldestFirst(Map<String, Integer> ageByName) {
        Comparator<Map.Entry<String, Integer>> byAge = Map.Entry.comparingByValue();
        return ageByName.entrySet().stream()
            .sorted(byAge.reversed().thenComparing(Map.Entry.comparingByKey()))
            .map(Map.Entry::getKey)
            .toList();
    }

    // task: counting_sort
    static int[] countingSort(int[] numbers) {
        int max = Arrays.stream(numbers).max().orElse(0);
        int[] counts = new int[max + 1];
        for (int n : numbers) {
            counts[n]++;
        }
        int[] result = new int[numbers.length];
        int filled = 0;
        for (int n = 0; n <= max; n++) {
            Arrays.fill(result, filled, filled + counts[n], n);
            filled += counts[n];
        }
        return result;
    }

    // task: natural_sort
    static void naturalSort(List<String> names) {
        names.sort((a, b) -> {
            String[] left = a.split("(?<=\\d)(?=\\D)|(?<=\\D)(?=\\d)");
            String[] right = b.split("(?<=\\d)(?=\\D)|(?<=\\D)(?=\\d)");
            for (int i = 0; i < Math.min(left.length, right.length); i++) {
                boolean numeric = left[i].matches("\\d+") && right[i].matches("\\d+");
                int order = numeric
                    ? new BigInteger(left[i]).compareTo(new BigInteger(right[i]))
                    : left[i].compareToIgnoreCase(right[i]);
                if (order != 0) {
                    return order;
                }
            }
            return left.length - right.length;
        });
    }
    // end
}
