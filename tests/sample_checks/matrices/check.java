import java.util.Arrays;
import java.util.List;

class Check {
    static void check(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        check(Math.round(Matrices.determinant(new double[][] {{4, 3, 2}, {1, 1, 7}, {2, 5, 9}})) == -83, "elimination");
        check(Matrices.determinant(new double[][] {{0, 2}, {3, 4}}) == -6, "elimination");
        check(Matrices.determinant(new double[][] {{1, 2}, {2, 4}}) == 0, "elimination");
        check(Matrices.expandMinors(List.of(List.of(4L, 3L, 2L), List.of(1L, 1L, 7L), List.of(2L, 5L, 9L))) == -83, "cofactors");
        check(Matrices.expandMinors(List.of(List.of(0L, 2L), List.of(3L, 4L))) == -6, "cofactors");
        check(Matrices.expandMinors(List.of()) == 1, "cofactors");
        check(Matrices.spiral(new int[][] {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}).equals(List.of(1, 2, 3, 6, 9, 8, 7, 4, 5)), "spiral");
        check(Matrices.spiral(new int[][] {{1, 2}, {3, 4}, {5, 6}}).equals(List.of(1, 2, 4, 6, 5, 3)), "spiral");
        check(Matrices.spiral(new int[][] {{1, 2, 3}}).equals(List.of(1, 2, 3)), "spiral");
        check(Matrices.spiral(new int[0][]).isEmpty(), "spiral");
        check(Arrays.deepEquals(Matrices.power(new long[][] {{1, 1}, {1, 0}}, 10), new long[][] {{89, 55}, {55, 34}}), "power");
        check(Arrays.deepEquals(Matrices.power(new long[][] {{2, 3}, {4, 5}}, 0), new long[][] {{1, 0}, {0, 1}}), "power");
        boolean[][] blinker = {{false, false, false}, {true, true, true}, {false, false, false}};
        boolean[][] turned = {{false, true, false}, {false, true, false}, {false, true, false}};
        check(Arrays.deepEquals(Matrices.nextGeneration(blinker), turned), "life");
        boolean[][] corner = Matrices.nextGeneration(new boolean[][] {{true, true}, {true, false}});
        check(Arrays.deepEquals(corner, new boolean[][] {{true, true}, {true, true}}), "life");
        check(!Matrices.nextGeneration(new boolean[][] {{true}})[0][0], "life");
        check(!Matrices.nextGeneration(new boolean[][] {{true, true, true}, {true, true, true}})[0][1], "life");
        check(Matrices.nextGeneration(new boolean[0][]).length == 0, "life");
        double[] x = Matrices.solve(new double[][] {{2, 1, -1}, {-3, -1, 2}, {-2, 1, 2}}, new double[] {8, -11, -3});
        check(Math.abs(x[0] - 2) + Math.abs(x[1] - 3) + Math.abs(x[2] + 1) < 1e-9, "solve");
        check(Arrays.equals(Matrices.solve(new double[][] {{0, 1}, {1, 0}}, new double[] {5, 6}), new double[] {6, 5}), "solve");
        try {
            Matrices.solve(new double[][] {{1, 1}, {2, 2}}, new double[] {1, 2});
            check(false, "solve");
        } catch (ArithmeticException expected) {
            check(expected.getMessage() != null, "solve");
        }
    }
}
