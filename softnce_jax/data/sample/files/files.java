import java.io.BufferedReader;
import java.io.FileReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

class Files {
    // task: count_file_lines
    static long countLines(Path file) throws IOException {
        long count = 0;
        try (BufferedReader reader = java.nio.file.Files.newBufferedReader(file)) {
            while (reader.readLine() != null) {
                count++;
            }
        }
        return count;
    }

    // task: count_nonblank_lines
    static int countNonBlank(String filename) throws IOException {
        Path source = Path.of(filename);
        try (Stream<String> rows = java.nio.file.Files.lines(source, StandardCharsets.UTF_8)) {
            return (int) rows
                .filter(row -> !row.isBlank())
                .count();
        }
    }

    // task: file_sha256
    static String sha256(Path path) throws IOException, NoSuchAlgorithmException {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] buffer = new byte[8192];
        try (InputStream in = java.nio.file.Files.newInputStream(path)) {
            for (int read = in.read(buffer); read > 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    // task: find_files_by_extension
    static List<Path> findByExtension(Path root, String extension) throws IOException {
        String suffix = "." + extension.toLowerCase();
        try (Stream<Path> tree = java.nio.file.Files.walk(root)) {
            return tree
                .filter(java.nio.file.Files::isRegularFile)
                .filter(p -> p.getFileName().toString().toLowerCase().endsWith(suffix))
                .sorted()
                .toList();
        }
    }

    // task: atomic_file_write
    static void writeAtomically(Path target, String content) throws IOException {
        Path folder = target.toAbsolutePath().getParent();
        Path temporary = java.nio.file.Files.createTempFile(folder, "write", ".tmp");
        try {
            java.nio.file.Files.writeString(temporary, content);
            java.nio.file.Files.move(
                temporary,
                target,
                StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
        } finally {
            java.nio.file.Files.deleteIfExists(temporary);
        }
    }

    // task: last_lines_of_file
    static List<String> tail(String logFile, int limit) throws IOException {
        Deque<String> window = new ArrayDeque<>(limit + 1);
        try (BufferedReader log = new BufferedReader(new FileReader(logFile))) {
            for (String line = log.readLine(); line != null; line = log.readLine()) {
                window.addLast(line);
                if (window.size() > limit) {
                    window.removeFirst();
                }
            }
        }
        return new ArrayList<>(window);
    }
    // end
}
