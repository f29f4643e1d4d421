import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;

class Check {
    static void check(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        check(Parsing.splitCsv("a,\"b,c\",d").equals(List.of("a", "b,c", "d")), "csv_line_split");
        check(Parsing.splitCsv("\"say \"\"hi\"\"\",,\"\"").equals(List.of("say \"hi\"", "", "")), "csv_line_split");
        check(Parsing.splitCsv("").equals(List.of("")), "csv_line_split");
        check(List.of(Parsing.columns("a,\"b,c\",d")).equals(List.of("a", "b,c", "d")), "csv_line_regex");
        check(List.of(Parsing.columns("\"say \"\"hi\"\"\",,\"\"")).equals(List.of("say \"hi\"", "", "")), "csv_line_regex");
        check(List.of(Parsing.columns("")).equals(List.of("")), "csv_line_regex");
        check(Parsing.parseQuery("q=a+b&tag=1&tag=2").equals(Map.of("q", List.of("a b"), "tag", List.of("1", "2"))), "query");
        check(Parsing.parseQuery("e=%26&&flag").equals(Map.of("e", List.of("&"), "flag", List.of(""))), "query");
        check(Parsing.parseQuery("").isEmpty(), "query");
        check(Parsing.evaluate("2 + 3 * 4") == 14, "arithmetic");
        check(Parsing.evaluate("(2 + 3) * (-4) / 8") == -2.5, "arithmetic");
        check(Parsing.evaluate("10 - 3 - 2") == 5, "arithmetic");
        check(Parsing.evaluate("2*(1+(3-1))+1") == 7, "arithmetic");
        check(Parsing.evaluate("7") == 7, "arithmetic");
        check(Parsing.romanToInt("MCMXC") == 1990, "roman");
        check(Parsing.romanToInt("") == 0, "roman");
        try {
            Parsing.romanToInt("ABC");
            throw new AssertionError("roman");
        } catch (NumberFormatException expected) {
            check(expected.getMessage().equals("ABC"), "roman");
        }
        var entry = Parsing.parseAccessLog("10.0.0.7 - bob [05/Mar/2023:10:11:12 +0000] \"GET /a?b=1 HTTP/1.1\" 404 -");
        check(entry.isPresent() && entry.get().equals(Map.of(
                "ip", "10.0.0.7", "time", OffsetDateTime.parse("2023-03-05T10:11:12Z"),
                "method", "GET", "path", "/a?b=1", "status", 404)), "access_log_line");
        check(Parsing.parseAccessLog("nonsense").isEmpty(), "access_log_line");
    }
}
