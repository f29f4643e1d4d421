import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BinaryOperator;
import java.util.stream.IntStream;

class Matrices {
    // task: determinant_by_elimination
    static double determinant(double[][] matrix) {
        double[][] rows = Arrays.stream(matrix).map(double[]::clone).toArray(double[][]::new);
        double det = 1;
        for (int k = 0; k < rows.length; k++) {
            int pivot = k;
            while (pivot < rows.length && rows[pivot][k] == 0) {
                pivot++;
            }
            if (pivot == rows.length) {
                return 0;
            }
            double[] top = rows[pivot];
            rows[pivot] = rows[k];
            rows[k] = top;
            det *= pivot == k ? top[k] : -top[k];
            for (int r = k + 1; r < rows.length; r++) {
                double factor = rows[r][k] / top[k];
                for (int c = k; c < rows.length; c++) {
                    rows[r][c] -= factor * top[c];
                }
            }
        }
        return det;
    }

    // task: determinant_by_cofactors
    static long expandMinors(List<List<Long>> matrix) {
        if (matrix.isEmpty()) {
            return 1;
        }
        long sum = 0;
        for (int skip = 0; skip < matrix.size(); skip++) {
            List<List<Long>> minor = new ArrayList<>();
            for (List<Long> line : matrix.subList(1, matrix.size())) {
                List<Long> kept = new ArrayList<>(line);
                kept.remove(skip);
                minor.add(kept);
            }
            long cofactor = matrix.get(0).get(skip) * expandMinors(minor);
            sum += skip % 2 == 0 ? cofactor : -cofactor;
        }
        return sum;
    }

    // task: matrix_spiral_order
    static List<Integer> spiral(int[][] grid) {
        List<Integer> order = new ArrayList<>();
        int top = 0;
        int left = 0;
        int bottom = grid.length - 1;
        int right = grid.length == 0 ? -1 : grid[0].length - 1;
        while (top <= bottom && left <= right) {
            for (int x = left; x <= right; x++) {
                order.add(grid[top][x]);
            }
            for (int y = ++top; y <= bottom; y++) {
                order.add(grid[y][right]);
            }
            right--;
            for (int x = right; x >= left && top <= bottom; x--) {
                order.add(grid[bottom][x]);
            }
            bottom--;
            for (int y = bottom; y >= top && left <= right; y--) {
                order.add(grid[y][left]);
            }
            left++;
        }
        return order;
    }

    // task: matrix_power
    static long[][] power(long[][] base, int exponent) {
        int n = base.length;
        BinaryOperator<long[][]> times = (a, b) -> {
            long[][] product = new long[n][n];
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    for (int k = 0; k < n; k++) {
                        product[i][j] += a[i][k] * b[k][j];
                    }
                }
            }
            return product;
        };
        if (exponent == 0) {
            long[][] identity = new long[n][n];
            IntStream.range(0, n).forEach(i -> identity[i][i] = 1);
            return identity;
        }
        long[][] half = power(base, exponent / 2);
        long[][] squared = times.apply(half, half);
        return exponent % 2 == 0 ? squared : times.apply(squared, base);
    }

    // task: game_of_life_step
    static boolean[][] nextGeneration(boolean[][] world) {
        int height = world.length;
        int width = height == 0 ? 0 : world[0].length;
        int[][] crowd = new int[height + 2][width + 2];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                for (int cell = 0; world[y][x] && cell < 9; cell++) {
                    crowd[y + cell / 3][x + cell % 3]++;
                }
            }
        }
        boolean[][] next = new boolean[height][width];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int alive = crowd[y + 1][x + 1];
                next[y][x] = alive == 3 || alive == 4 && world[y][x];
            }
        }
        return next;
    }

    // task: linear_system_solve
    static double[] solve(double[][] a, double[] b) {
        for (int p = 0; p < b.length; p++) {
            int max = p;
            for (int i = p + 1; i < b.length; i++) {
                max = Math.abs(a[i][p]) > Math.abs(a[max][p]) ? i : max;
            }
            double[] swapped = a[p];
            a[p] = a[max];
            a[max] = swapped;
            double constant = b[p];
            b[p] = b[max];
            b[max] = constant;
            if (Math.abs(a[p][p]) < 1e-10) {
                throw new ArithmeticException("Matrix is singular");
            }
            for (int i = 0; i < b.length; i++) {
                double ratio = i == p ? 0 : a[i][p] / a[p][p];
                b[i] -= ratio * b[p];
                for (int j = p; j < b.length; j++) {
                    a[i][j] -= ratio * a[p][j];
                }
            }
        }
        return IntStream.range(0, b.length).mapToDouble(i -> b[i] / a[i][i]).toArray();
    }
    // end
}
