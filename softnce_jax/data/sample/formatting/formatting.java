import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

class Formatting {

    // task: format_byte_size
    static String humanReadableSize(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        double size = bytes;
        String[] units = {"B", "KB", "MB", "GB", "TB"};
        int index = 0;
        while (size >= 1024 && index < units.length - 1) {
            size /= 1024;
            index++;
        }
        return String.format(Locale.ROOT, "%.1f %s", size, units[index]);
    }

    // task: file_size_unit
    static String describeLength(long length) {
        int magnitude = (63 - Long.numberOfLeadingZeros(Math.max(length, 1))) / 10;
        if (magnitude == 0) {
            return length + " bytes";
        }
        long divisor = 1L << (10 * magnitude);
        char prefix = "KMGTPE".charAt(magnitude - 1);
        return String.format(Locale.ROOT, "%.2f %ciB", (double) length / divisor, prefix);
    }

    // task: ordinal_number
    static String ordinal(int number) {
        int lastTwo = Math.abs(number) % 100;
        if (lastTwo >= 11 && lastTwo <= 13) {
            return number + "th";
        }
        return switch (lastTwo % 10) {
            case 1 -> number + "st";
            case 2 -> number + "nd";
            case 3 -> number + "rd";
            default -> number + "th";
        };
    }

    // task: thousands_separator
    static String groupThousands(long value, char separator) {
        StringBuilder text = new StringBuilder(Long.toString(value));
        int first = value < 0 ? 1 : 0;
        for (int position = text.length() - 3; position > first; position -= 3) {
            text.insert(position, separator);
        }
        return text.toString();
    }

    // task: progress_bar
    static String progressBar(double fraction, int width) {
        double done = Math.max(0, Math.min(1, fraction));
        char[] bar = new char[width];
        Arrays.fill(bar, '.');
        Arrays.fill(bar, 0, (int) (done * width), '#');
        return "[" + String.valueOf(bar) + "] " + Math.round(done * 100) + "%";
    }

    // task: text_table
    static String renderTable(List<List<String>> rows) {
        List<Integer> widths = new ArrayList<>();
        for (int column = 0; column < rows.get(0).size(); column++) {
            final int c = column;
            widths.add(rows.stream().mapToInt(row -> row.get(c).length()).max().orElse(0));
        }
        List<String> lines = new ArrayList<>();
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int c = 0; c < row.size(); c++) {
                String cell = row.get(c);
                line.append(c == 0 ? "" : " | ");
                line.append(cell).append(" ".repeat(widths.get(c) - cell.length()));
            }
            lines.add(line.toString().stripTrailing());
        }
        return String.join("\n", lines);
    }

    // end
}
