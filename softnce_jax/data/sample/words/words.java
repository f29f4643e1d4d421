import java.text.BreakIterator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

class Words {
    // task: most_common_word
    static String mostCommonWord(String text) {
        Map<String, Integer> seen = new HashMap<>();
        String best = null;
        Matcher matcher = Pattern.compile("[a-z']+").matcher(text.toLowerCase(Locale.ROOT));
        while (matcher.find()) {
            int hits = seen.merge(matcher.group(), 1, Integer::sum);
            if (best == null || hits > seen.get(best)) {
                best = matcher.group();
            }
        }
        return best;
    }

    // task: top_words
    static List<String> topWords(String document, int limit) {
        Map<String, Long> tally = Arrays.stream(document.split("\\W+"))
                .filter(token -> !token.isEmpty())
                .map(String::toLowerCase)
                .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
        return tally.entrySet().stream()
                .sorted(Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())
                        .thenComparing(Map.Entry.comparingByKey()))
                .limit(limit)
                .map(e -> e.getKey() + "=" + e.getValue())
                .collect(Collectors.toList());
    }

    // task: longest_word
    static String longestWord(String sentence) {
        BreakIterator boundary = BreakIterator.getWordInstance();
        boundary.setText(sentence);
        String longest = "";
        int start = boundary.first();
        for (int end = boundary.next(); end != BreakIterator.DONE; end = boundary.next()) {
            String candidate = sentence.substring(start, end);
            if (!candidate.isBlank() && candidate.length() > longest.length()) {
                longest = candidate;
            }
            start = end;
        }
        return longest;
    }

    // task: group_anagrams
    static Collection<List<String>> groupAnagrams(List<String> words) {
        Map<String, List<String>> groups = new LinkedHashMap<>();
        for (String word : words) {
            char[] letters = word.toLowerCase().toCharArray();
            Arrays.sort(letters);
            groups.computeIfAbsent(new String(letters), k -> new ArrayList<>()).add(word);
        }
        groups.values().removeIf(members -> members.size() < 2);
        return groups.values();
    }

    // task: word_ngrams
    static List<String> wordNgrams(String text, int n) {
        if (n < 1) {
            throw new IllegalArgumentException("n must be at least 1");
        }
        String[] tokens = text.strip().toLowerCase().split("\\s+");
        return IntStream.rangeClosed(0, tokens.length - n)
                .mapToObj(i -> String.join(" ", Arrays.copyOfRange(tokens, i, i + n)))
                .collect(Collectors.toList());
    }

    // task: split_sentences
    static List<String> splitSentences(String paragraph, Set<String> abbreviations) {
        List<String> sentences = new ArrayList<>();
        StringBuilder current = new StringBuilder();
        for (String chunk : paragraph.trim().split("\\s+")) {
            current.append(current.length() == 0 ? "" : " ").append(chunk);
            if (chunk.matches(".*[.!?]") && !abbreviations.contains(chunk)) {
                sentences.add(current.toString());
                current.setLength(0);
            }
        }
        if (current.length() > 0) {
            sentences.add(current.toString());
        }
        return sentences;
    }
    // end
}
