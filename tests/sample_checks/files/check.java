import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

class Check {
    static void that(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    static Path put(Path file, String text) throws IOException {
        return java.nio.file.Files.writeString(file, text);
    }

    public static void main(String[] a) throws Exception {
        Path base = java.nio.file.Files.createTempDirectory("check");
        try {
            checkAll(base);
        } finally {
            try (Stream<Path> tree = java.nio.file.Files.walk(base)) {
                for (Path p : tree.sorted(Comparator.reverseOrder()).toList()) {
                    java.nio.file.Files.delete(p);
                }
            }
        }
    }

    static void checkAll(Path base) throws Exception {
        Path log = put(base.resolve("log.txt"), "one\n\n  \ntwo\nthree");
        Path empty = put(base.resolve("empty.txt"), "");
        Path small = put(base.resolve("abc.bin"), "abc");
        that(Files.countLines(log) == 5, "lines");
        that(Files.countLines(empty) == 0, "lines empty");
        that(Files.countNonBlank(log.toString()) == 3, "nonblank");
        that(Files.countNonBlank(empty.toString()) == 0, "nonblank empty");
        that(Files.sha256(small)
            .equals("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "sha");
        that(Files.sha256(empty).startsWith("e3b0c44298fc1c14"), "sha empty");
        Path deep = java.nio.file.Files.createDirectories(base.resolve("sub").resolve("deep"));
        Path note = put(deep.resolve("note.TXT"), "x");
        that(Files.findByExtension(base, "txt").equals(List.of(empty, log, note)), "extension");
        that(Files.findByExtension(base, "md").isEmpty(), "extension none");
        Path target = base.resolve("out.bin");
        Files.writeAtomically(target, "first");
        Files.writeAtomically(target, "second");
        that(java.nio.file.Files.readString(target).equals("second"), "atomic");
        boolean thrown = false;
        try {
            Files.writeAtomically(base.resolve("missing").resolve("x"), "data");
        } catch (IOException e) {
            thrown = true;
        }
        that(thrown, "atomic error");
        that(Files.findByExtension(base, "tmp").isEmpty(), "atomic leftovers");
        that(Files.tail(log.toString(), 2).equals(List.of("two", "three")), "tail");
        that(Files.tail(log.toString(), 99)
            .equals(Arrays.asList("one", "", "  ", "two", "three")), "tail all");
        that(Files.tail(empty.toString(), 3).isEmpty(), "tail empty");
    }
}
