import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

class CollectionsSets {
    // task: unique_in_order
    static <T> List<T> uniqueInOrder(List<T> items) {
        Set<T> seen = new HashSet<>();
        List<T> kept = new ArrayList<>(items);
        for (Iterator<T> it = kept.iterator(); it.hasNext();) {
            if (!seen.add(it.next())) {
                it.remove();
            }
        }
        return kept;
    }

    // task: sorted_distinct
    static int[] sortedDistinct(int[] values) {
        int[] ordered = values.clone();
        Arrays.sort(ordered);
        int count = 0;
        for (int value : ordered) {
            if (count == 0 || ordered[count - 1] != value) {
                ordered[count++] = value;
            }
        }
        return Arrays.copyOf(ordered, count);
    }

    // task: symmetric_difference
    static <E extends Comparable<E>> TreeSet<E> symmetricDifference(Set<E> left, Set<E> right) {
        TreeSet<E> union = new TreeSet<>(left);
        union.addAll(right);
        TreeSet<E> both = new TreeSet<>(left);
        both.retainAll(right);
        union.removeAll(both);
        return union;
    }

    // task: power_set
    static <T> List<List<T>> powerSet(Collection<T> elements) {
        List<List<T>> subsets = new ArrayList<>();
        subsets.add(List.of());
        for (T element : elements) {
            for (int i = 0, size = subsets.size(); i < size; i++) {
                List<T> bigger = new ArrayList<>(subsets.get(i));
                bigger.add(element);
                subsets.add(bigger);
            }
        }
        return subsets;
    }

    // task: intersect_all
    static Set<String> intersectAll(List<Set<String>> sets) {
        return sets.stream()
                .map(HashSet<String>::new)
                .reduce((shared, other) -> {
                    shared.retainAll(other);
                    return shared;
                })
                .orElseGet(HashSet::new);
    }

    // task: multiset_contains
    static <T> boolean multisetContains(Collection<T> bag, Collection<T> wanted) {
        Map<T, Integer> stock = new HashMap<>();
        bag.forEach(thing -> stock.merge(thing, 1, Integer::sum));
        for (T thing : wanted) {
            int left = stock.getOrDefault(thing, 0);
            if (left == 0) {
                return false;
            }
            stock.put(thing, left - 1);
        }
        return true;
    }
    // end
}
