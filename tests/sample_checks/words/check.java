import java.util.ArrayList;
import java.util.List;
import java.util.Set;

class Check {
    static void expect(Object wanted, Object got, String task) {
        if (wanted == null ? got != null : !wanted.equals(got)) {
            throw new AssertionError(task + ": " + got);
        }
    }

    public static void main(String[] a) {
        expect("the", Words.mostCommonWord("The cat saw the other cat near the tree"), "most_common_word");
        expect(null, Words.mostCommonWord(" ... "), "most_common_word");
        expect(List.of("red=3", "blue=2"), Words.topWords("red blue red green Blue red", 2), "top_words");
        expect(List.of("a=1", "b=1"), Words.topWords("b a", 5), "top_words");
        expect(List.of(), Words.topWords("", 5), "top_words");
        expect("remarkable", Words.longestWord("A quick, 'remarkable' fox!"), "longest_word");
        expect("", Words.longestWord(""), "longest_word");
        List<String> words = List.of("Listen", "cat", "silent", "act", "dog");
        expect(List.of(List.of("Listen", "silent"), List.of("cat", "act")),
                new ArrayList<>(Words.groupAnagrams(words)), "group_anagrams");
        expect(0, Words.groupAnagrams(List.of()).size(), "group_anagrams");
        expect(List.of("to be", "be or", "or not"), Words.wordNgrams("To be or not", 2), "word_ngrams");
        expect(List.of(), Words.wordNgrams("a b", 3), "word_ngrams");
        try {
            Words.wordNgrams("a", 0);
            throw new AssertionError("word_ngrams");
        } catch (IllegalArgumentException e) {
            expect(true, e.getMessage().contains("1"), "word_ngrams");
        }
        expect(List.of("Dr. Hall left.", "Why?", "Nobody knew"),
                Words.splitSentences("Dr. Hall left. Why? Nobody knew", Set.of("Dr.")), "split_sentences");
        expect(List.of("Dr.", "No"), Words.splitSentences("Dr. No", Set.of()), "split_sentences");
        expect(List.of(), Words.splitSentences("", Set.of()), "split_sentences");
    }
}
