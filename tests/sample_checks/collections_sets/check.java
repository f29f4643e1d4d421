import java.util.Arrays;
import java.util.List;
import java.util.Set;

class Check {
    static void expect(Object wanted, Object got, String task) {
        if (!wanted.equals(got)) {
            throw new AssertionError(task + ": " + got);
        }
    }

    public static void main(String[] a) {
        expect(List.of(3, 1, 2), CollectionsSets.uniqueInOrder(List.of(3, 1, 3, 2, 1)), "unique_in_order");
        expect(List.of(), CollectionsSets.uniqueInOrder(List.of()), "unique_in_order");
        int[] distinct = CollectionsSets.sortedDistinct(new int[] {3, 1, 3, 2, 1});
        expect("[1, 2, 3]", Arrays.toString(distinct), "sorted_distinct");
        expect(0, CollectionsSets.sortedDistinct(new int[0]).length, "sorted_distinct");
        expect(Set.of(1, 2, 4), CollectionsSets.symmetricDifference(Set.of(1, 2, 3), Set.of(3, 4)),
                "symmetric_difference");
        expect(Set.of(), CollectionsSets.symmetricDifference(Set.of(1), Set.of(1)),
                "symmetric_difference");
        expect("[[], [a], [b], [a, b]]", CollectionsSets.powerSet(List.of("a", "b")).toString(), "power_set");
        expect("[[]]", CollectionsSets.powerSet(List.of()).toString(), "power_set");
        expect(Set.of("b", "c"), CollectionsSets.intersectAll(
                List.of(Set.of("a", "b", "c"), Set.of("b", "c"), Set.of("c", "b", "d"))), "intersect_all");
        expect(Set.of(), CollectionsSets.intersectAll(List.of(Set.of("a"), Set.of("b"))), "intersect_all");
        expect(Set.of(), CollectionsSets.intersectAll(List.of()), "intersect_all");
        List<String> banana = List.of("banana".split(""));
        expect(true, CollectionsSets.multisetContains(banana, List.of("n", "a", "b")), "multiset_contains");
        expect(false, CollectionsSets.multisetContains(banana, List.of("b", "n", "n", "n")),
                "multiset_contains");
        expect(true, CollectionsSets.multisetContains(List.of(), List.of()), "multiset_contains");
    }
}
