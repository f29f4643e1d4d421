import java.awt.Point;
import java.awt.geom.Point2D;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

class Geometry {

    // task: polygon_area_shoelace
    static double polygonArea(double[][] vertices) {
        double doubled = 0;
        for (int i = 0, n = vertices.length; i < n; i++) {
            double[] next = vertices[(i + 1) % n];
            doubled += vertices[i][0] * next[1] - next[0] * vertices[i][1];
        }
        return Math.abs(doubled / 2);
    }

    // task: polygon_area_fan
    static double triangleFanArea(List<Point2D> corners) {
        Point2D origin = corners.get(0);
        double sum = 0;
        for (int k = 2; k < corners.size(); k++) {
            Point2D b = corners.get(k - 1);
            Point2D c = corners.get(k);
            double width = (b.getX() - origin.getX()) * (c.getY() - origin.getY());
            double height = (b.getY() - origin.getY()) * (c.getX() - origin.getX());
            sum += 0.5 * (width - height);
        }
        return Math.abs(sum);
    }

    // task: point_segment_distance
    static double distanceToSegment(double px, double py, double ax, double ay, double bx, double by) {
        double dx = bx - ax;
        double dy = by - ay;
        double lengthSquared = dx * dx + dy * dy;
        if (lengthSquared == 0) {
            return Math.hypot(px - ax, py - ay);
        }
        double t = ((px - ax) * dx + (py - ay) * dy) / lengthSquared;
        t = Math.max(0, Math.min(1, t));
        return Math.hypot(px - ax - t * dx, py - ay - t * dy);
    }

    // task: convex_hull
    static List<Point> convexHull(List<Point> points) {
        Point leftmost = points.get(0);
        for (Point p : points) {
            if (p.x < leftmost.x || (p.x == leftmost.x && p.y < leftmost.y)) {
                leftmost = p;
            }
        }
        List<Point> hull = new ArrayList<>();
        Point tip = leftmost;
        do {
            hull.add(tip);
            Point next = points.get(0);
            for (Point p : points) {
                long turn = (long) (next.x - tip.x) * (p.y - tip.y)
                    - (long) (next.y - tip.y) * (p.x - tip.x);
                boolean farther = turn == 0 && tip.distance(p) > tip.distance(next);
                if (turn < 0 || farther) {
                    next = p;
                }
            }
            tip = next;
        } while (!tip.equals(leftmost));
        return hull;
    }

    // task: segment_intersection
    static Optional<double[]> intersect(double[] p, double[] p2, double[] q, double[] q2) {
        double[] r = {p2[0] - p[0], p2[1] - p[1]};
        double[] s = {q2[0] - q[0], q2[1] - q[1]};
        double denominator = r[0] * s[1] - r[1] * s[0];
        if (denominator == 0) {
            return Optional.empty();
        }
        double t = ((q[0] - p[0]) * s[1] - (q[1] - p[1]) * s[0]) / denominator;
        double u = ((q[0] - p[0]) * r[1] - (q[1] - p[1]) * r[0]) / denominator;
        if (t < 0 || t > 1 || u < 0 || u > 1) {
            return Optional.empty();
        }
        return Optional.of(new double[] {p[0] + t * r[0], p[1] + t * r[1]});
    }

    // task: point_in_polygon
    static boolean contains(double[] xs, double[] ys, double x, double y) {
        boolean inside = false;
        for (int i = 0, j = xs.length - 1; i < xs.length; j = i++) {
            boolean straddles = (ys[i] > y) != (ys[j] > y);
            if (straddles && x < (xs[j] - xs[i]) * (y - ys[i]) / (ys[j] - ys[i]) + xs[i]) {
                inside = !inside;
            }
        }
        return inside;
    }

    // end
}
