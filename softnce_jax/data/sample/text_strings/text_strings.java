import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;

class TextStrings {
    // task: palindrome_word
    static boolean isPalindrome(String word) {
        int half = word.length() / 2;
        for (int i = 0; i < half; i++) {
            if (word.charAt(i) != word.charAt(word.length() - 1 - i)) {
                return false;
            }
        }
        return true;
    }

    // task: palindrome_phrase
    static boolean readsSameBackwards(String phrase) {
        StringBuilder letters = new StringBuilder();
        phrase.codePoints()
            .filter(Character::isLetterOrDigit)
            .map(Character::toLowerCase)
            .forEach(letters::appendCodePoint);
        String forward = letters.toString();
        return letters.reverse().toString().equals(forward);
    }

    // task: camel_to_snake_case
    static String toSnakeCase(String identifier) {
        if (identifier == null || identifier.isEmpty()) {
            return "";
        }
        return identifier
            .replaceAll("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_")
            .toLowerCase(Locale.ROOT);
    }

    // task: wrap_text
    static List<String> wrap(String text, int width) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.trim().split("\\s+")) {
            if (line.length() > 0 && line.length() + word.length() >= width) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }

    // task: reverse_word_order
    static String reverseWords(String sentence) {
        Deque<String> stack = new ArrayDeque<>();
        for (String token : sentence.strip().split(" +")) {
            stack.push(token);
        }
        StringJoiner joined = new StringJoiner(" ");
        stack.forEach(joined::add);
        return joined.toString();
    }

    // task: longest_common_prefix
    static String commonPrefix(List<String> strings) {
        return strings.stream().reduce((a, b) -> {
            int end = 0;
            int limit = Math.min(a.length(), b.length());
            while (end < limit && a.charAt(end) == b.charAt(end)) {
                end++;
            }
            return a.substring(0, end);
        }).orElse("");
    }
    // end
}
