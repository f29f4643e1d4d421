package main

import (
	"fmt"
	"reflect"
)

func expect(task string, got, want interface{}) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("%s: got %v, want %v", task, got, want))
	}
}

func main() {
	word, hits := MostCommonWord("The cat saw the other cat, near the tree")
	expect("most_common_word", word, "the")
	expect("most_common_word", hits, 3)
	word, hits = MostCommonWord(" ... ")
	expect("most_common_word", word, "")
	expect("most_common_word", hits, 0)
	expect("top_words", TopWords("red blue red green Blue red", 2), []string{"red", "blue"})
	expect("top_words", TopWords("b a", 5), []string{"a", "b"})
	expect("top_words", TopWords("", 5), []string{})
	expect("longest_word", LongestWord("A quick, 'remarkable' fox!"), "remarkable")
	expect("longest_word", LongestWord(""), "")
	groups := GroupAnagrams([]string{"Listen", "cat", "silent", "act", "dog"})
	expect("group_anagrams", groups, [][]string{{"Listen", "silent"}, {"cat", "act"}, {"dog"}})
	expect("group_anagrams", len(GroupAnagrams(nil)), 0)
	expect("word_ngrams", WordNgrams("To be or not", 2), []string{"to be", "be or", "or not"})
	expect("word_ngrams", len(WordNgrams("a b", 3)), 0)
	short := map[string]bool{"Dr.": true}
	got := SplitSentences("Dr. Hall left. Why? Nobody knew", short)
	expect("split_sentences", got, []string{"Dr. Hall left.", "Why?", "Nobody knew"})
	expect("split_sentences", len(SplitSentences("", nil)), 0)
}
