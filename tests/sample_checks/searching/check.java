import java.util.Arrays;
import java.util.List;

class Check {
    static void that(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        int[] odd = {1, 3, 5, 7, 9};
        that(Searching.binarySearch(odd, 1) == 0 && Searching.binarySearch(odd, 9) == 4, "binary");
        that(Searching.binarySearch(odd, 4) == -1, "binary absent");
        that(Searching.binarySearch(new int[0], 4) == -1, "binary empty");
        that(Searching.firstOccurrence(List.of(1, 2, 2, 2, 3), 2) == 1, "first");
        that(Searching.firstOccurrence(List.of(1000, 1000), 1000) == 0, "first boxed");
        that(Searching.firstOccurrence(List.of(1, 2), 9) == -1, "first absent");
        that(Searching.firstOccurrence(List.of(), 9) == -1, "first empty");
        that(Searching.kthLargest(new int[] {3, 9, 1, 9, 5}, 3) == 5, "kth");
        boolean thrown = false;
        try {
            Searching.kthLargest(new int[] {4}, 2);
        } catch (IllegalArgumentException e) {
            thrown = true;
        }
        that(thrown, "kth range");
        that(Arrays.equals(Searching.twoSum(new int[] {2, 7, 11, 15}, 18), new int[] {1, 2}), "pair");
        that(Searching.twoSum(new int[] {4}, 8) == null, "pair none");
        that(Searching.closest(List.of(1.0, 8.0, 12.0), 9).get() == 8.0, "closest");
        that(Searching.closest(List.of(), 9).isEmpty(), "closest empty");
        int[][] grid = {{1, 4, 7}, {2, 5, 8}, {3, 6, 9}};
        that(Searching.contains(grid, 6) && Searching.contains(grid, 7), "matrix");
        that(!Searching.contains(grid, 10) && !Searching.contains(grid, 0), "matrix absent");
        that(!Searching.contains(new int[0][], 1), "matrix empty");
    }
}
