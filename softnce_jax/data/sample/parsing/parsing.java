import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

class Parsing {
    // task: csv_line_split
    static List<String> splitCsv(String line) {
        List<String> fields = new ArrayList<>();
        StringBuilder current = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c == '"') {
                if (!quoted && i > 0 && line.charAt(i - 1) == '"') {
                    current.append(c);
                }
                quoted = !quoted;
            } else if (c == ',' && !quoted) {
                fields.add(current.toString());
                current.setLength(0);
            } else {
                current.append(c);
            }
        }
        fields.add(current.toString());
        return fields;
    }

    // task: csv_line_regex
    static String[] columns(String record) {
        Pattern comma = Pattern.compile(",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)");
        String[] cells = comma.split(record, -1);
        for (int i = 0; i < cells.length; i++) {
            if (cells[i].startsWith("\"")) {
                cells[i] = cells[i].replaceAll("^\"|\"$", "").replace("\"\"", "\"");
            }
        }
        return cells;
    }

    // task: query_string_params
    static Map<String, List<String>> parseQuery(String query) {
        Map<String, List<String>> params = new LinkedHashMap<>();
        for (String pair : query.split("&")) {
            if (pair.isBlank()) {
                continue;
            }
            int equals = pair.indexOf('=');
            String name = equals < 0 ? pair : pair.substring(0, equals);
            String value = equals < 0 ? "" : pair.substring(equals + 1);
            params.computeIfAbsent(URLDecoder.decode(name, StandardCharsets.UTF_8), k -> new ArrayList<>())
                    .add(URLDecoder.decode(value, StandardCharsets.UTF_8));
        }
        return params;
    }

    // task: arithmetic_expression_value
    static double evaluate(String text) {
        String formula = text.strip();
        for (String operators : List.of("+-", "*/")) {
            int depth = 0;
            for (int i = formula.length() - 1; i > 0; i--) {
                char c = formula.charAt(i);
                depth += c == ')' ? 1 : c == '(' ? -1 : 0;
                if (depth == 0 && operators.indexOf(c) >= 0) {
                    double left = evaluate(formula.substring(0, i));
                    double right = evaluate(formula.substring(i + 1));
                    return c == '+' ? left + right : c == '-' ? left - right : c == '*' ? left * right : left / right;
                }
            }
        }
        if (formula.startsWith("-")) {
            return -evaluate(formula.substring(1));
        }
        if (formula.startsWith("(")) {
            return evaluate(formula.substring(1, formula.lastIndexOf(')')));
        }
        return Double.parseDouble(formula);
    }

    // task: roman_numeral_to_integer
    static int romanToInt(String numeral) {
        int total = 0;
        int previous = 0;
        for (char symbol : new StringBuilder(numeral).reverse().toString().toCharArray()) {
            int value = switch (symbol) {
                case 'I' -> 1;
                case 'V' -> 5;
                case 'X' -> 10;
                case 'L' -> 50;
                case 'C' -> 100;
                case 'D' -> 500;
                case 'M' -> 1000;
                default -> throw new NumberFormatException(numeral);
            };
            total += value < previous ? -value : value;
            previous = value;
        }
        return total;
    }

    // task: access_log_line
    static Optional<Map<String, Object>> parseAccessLog(String line) {
        Matcher m = Pattern.compile(
                "^(\\S+) \\S+ \\S+ \\[(.+?)] \"(\\w+) (\\S+).*?\" (\\d{3})").matcher(line);
        if (!m.find()) {
            return Optional.empty();
        }
        DateTimeFormatter format = DateTimeFormatter.ofPattern("dd/MMM/yyyy:HH:mm:ss Z", Locale.ENGLISH);
        return Optional.of(Map.of(
                "ip", m.group(1),
                "time", OffsetDateTime.parse(m.group(2), format),
                "method", m.group(3),
                "path", m.group(4),
                "status", Integer.parseInt(m.group(5))));
    }
    // end
}
