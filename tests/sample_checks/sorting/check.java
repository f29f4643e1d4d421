import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

class Check {
    static void that(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        int[] values = {3, 1, 2, 2};
        Sorting.bubbleSort(values);
        that(Arrays.equals(values, new int[] {1, 2, 2, 3}), "bubble");
        int[] none = {};
        Sorting.bubbleSort(none);
        that(none.length == 0, "bubble empty");
        int[] input = {3, 1, 2, 1};
        that(Arrays.equals(Sorting.selectionSort(input), new int[] {1, 1, 2, 3}), "selection");
        that(input[0] == 3, "selection copy");
        that(Sorting.selectionSort(none).length == 0, "selection empty");
        that(Sorting.mergeSorted(List.of(1, 4, 9), List.of(2, 3, 10))
            .equals(List.of(1, 2, 3, 4, 9, 10)), "merge");
        that(Sorting.mergeSorted(List.<Integer>of(), List.of(7)).equals(List.of(7)), "merge empty");
        that(Sorting.oldestFirst(Map.of("bob", 30, "eve", 41, "ann", 30))
            .equals(List.of("eve", "ann", "bob")), "people");
        that(Sorting.oldestFirst(Map.of()).isEmpty(), "people empty");
        that(Arrays.equals(Sorting.countingSort(new int[] {4, 0, 2, 4, 1}),
            new int[] {0, 1, 2, 4, 4}), "counting");
        that(Sorting.countingSort(none).length == 0, "counting empty");
        List<String> names = new ArrayList<>(List.of("img10", "img2", "Img1"));
        Sorting.naturalSort(names);
        that(names.equals(List.of("Img1", "img2", "img10")), "natural");
        names = new ArrayList<>(List.of("a1b10", "a1b9", "a"));
        Sorting.naturalSort(names);
        that(names.equals(List.of("a", "a1b9", "a1b10")), "natural mixed");
    }
}
