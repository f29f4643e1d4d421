import java.awt.Point;
import java.awt.geom.Point2D;
import java.util.List;

class Check {
    static void verify(String task, boolean ok) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    static Point2D at(double x, double y) {
        return new Point2D.Double(x, y);
    }

    public static void main(String[] a) {
        double[][] triangle = {{0, 0}, {4, 0}, {4, 3}};
        double[][] notched = {{0, 0}, {4, 0}, {4, 4}, {2, 1}, {0, 4}};
        verify("polygon_area_shoelace", Geometry.polygonArea(triangle) == 6);
        verify("polygon_area_shoelace", Geometry.polygonArea(notched) == 10);
        verify("polygon_area_shoelace", Geometry.polygonArea(new double[0][2]) == 0);

        verify("polygon_area_fan", Geometry.triangleFanArea(List.of(at(0, 0), at(4, 0), at(4, 3))) == 6);
        verify("polygon_area_fan", Geometry.triangleFanArea(
            List.of(at(0, 4), at(2, 1), at(4, 4), at(4, 0), at(0, 0))) == 10);
        verify("polygon_area_fan", Geometry.triangleFanArea(List.of(at(1, 1), at(5, 5))) == 0);
        verify("polygon_area_fan", Geometry.triangleFanArea(List.of(at(1, 2), at(5, 2), at(5, 5))) == 6);

        verify("point_segment_distance", Geometry.distanceToSegment(0, 5, -1, 0, 1, 0) == 5);
        verify("point_segment_distance", Geometry.distanceToSegment(4, 4, 0, 0, 1, 0) == 5);
        verify("point_segment_distance", Geometry.distanceToSegment(3, 4, 0, 0, 0, 0) == 5);

        List<Point> cloud = List.of(new Point(1, 1), new Point(2, 0), new Point(0, 0),
            new Point(2, 2), new Point(0, 2), new Point(1, 0));
        verify("convex_hull", Geometry.convexHull(cloud).equals(
            List.of(new Point(0, 0), new Point(2, 0), new Point(2, 2), new Point(0, 2))));
        verify("convex_hull", Geometry.convexHull(List.of(new Point(1, 1))).size() == 1);
        verify("convex_hull", Geometry.convexHull(
            List.of(new Point(0, 0), new Point(1, 1), new Point(2, 2))).size() == 2);

        double[] origin = {0, 0};
        double[] meeting = Geometry.intersect(
            origin, new double[] {2, 2}, new double[] {0, 2}, new double[] {2, 0}).get();
        verify("segment_intersection", meeting[0] == 1 && meeting[1] == 1);
        double[] shifted = Geometry.intersect(
            new double[] {1, 2}, new double[] {5, 4}, new double[] {3, 1}, new double[] {3, 9}).get();
        verify("segment_intersection", shifted[0] == 3 && shifted[1] == 3);
        verify("segment_intersection", Geometry.intersect(
            origin, new double[] {1, 1}, new double[] {3, 0}, new double[] {3, 9}).isEmpty());
        verify("segment_intersection", Geometry.intersect(
            origin, new double[] {1, 0}, new double[] {0, 1}, new double[] {1, 1}).isEmpty());

        double[] xs = {0, 4, 4, 2, 0};
        double[] ys = {0, 0, 4, 1, 4};
        verify("point_in_polygon", Geometry.contains(xs, ys, 1, 1));
        verify("point_in_polygon", !Geometry.contains(xs, ys, 2, 3));
        verify("point_in_polygon", !Geometry.contains(xs, ys, -1, 2));
    }
}
