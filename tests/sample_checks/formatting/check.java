import java.util.List;

class Check {
    static void equal(String task, String want, String got) {
        if (!want.equals(got)) {
            throw new AssertionError(task + ": " + got);
        }
    }

    public static void main(String[] a) {
        equal("format_byte_size", "0 B", Formatting.humanReadableSize(0));
        equal("format_byte_size", "1.5 KB", Formatting.humanReadableSize(1536));
        equal("format_byte_size", "5120.0 TB", Formatting.humanReadableSize(5L << 50));

        equal("file_size_unit", "0 bytes", Formatting.describeLength(0));
        equal("file_size_unit", "1.00 KiB", Formatting.describeLength(1024));
        equal("file_size_unit", "1.25 MiB", Formatting.describeLength(1310720));

        equal("ordinal_number", "1st", Formatting.ordinal(1));
        equal("ordinal_number", "22nd", Formatting.ordinal(22));
        equal("ordinal_number", "113th", Formatting.ordinal(113));

        equal("thousands_separator", "1,234,567", Formatting.groupThousands(1234567, ','));
        equal("thousands_separator", "-100", Formatting.groupThousands(-100, ','));

        equal("progress_bar", "[#####.....] 50%", Formatting.progressBar(0.5, 10));
        equal("progress_bar", "[....] 0%", Formatting.progressBar(-1, 4));
        equal("progress_bar", "[####] 100%", Formatting.progressBar(1.7, 4));

        equal("text_table", "id | name\n1  | ann\n22 | bo", Formatting.renderTable(
            List.of(List.of("id", "name"), List.of("1", "ann"), List.of("22", "bo"))));
        equal("text_table", "", Formatting.renderTable(List.of(List.of(""))));
    }
}
