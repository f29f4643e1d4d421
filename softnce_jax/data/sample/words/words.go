package main

import (
	"bufio"
	"regexp"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// task: most_common_word
func MostCommonWord(text string) (best string, hits int) {
	seen := make(map[string]int)
	scanner := bufio.NewScanner(strings.NewReader(strings.ToLower(text)))
	scanner.Split(bufio.ScanWords)
	for scanner.Scan() {
		word := strings.Trim(scanner.Text(), ".,;:!?\"()")
		if word == "" {
			continue
		}
		seen[word]++
		if seen[word] > hits {
			best, hits = word, seen[word]
		}
	}
	return best, hits
}

// task: top_words
func TopWords(document string, limit int) []string {
	tally := map[string]int{}
	for _, token := range regexp.MustCompile(`\w+`).FindAllString(document, -1) {
		tally[strings.ToLower(token)]++
	}
	ranked := make([]string, 0, len(tally))
	for token := range tally {
		ranked = append(ranked, token)
	}
	sort.Slice(ranked, func(i, j int) bool {
		if tally[ranked[i]] != tally[ranked[j]] {
			return tally[ranked[i]] > tally[ranked[j]]
		}
		return ranked[i] < ranked[j]
	})
	if len(ranked) > limit {
		ranked = ranked[:limit]
	}
	return ranked
}

// task: longest_word
func LongestWord(sentence string) string {
	longest, most := "", 0
	split := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	for _, field := range strings.FieldsFunc(sentence, split) {
		if n := utf8.RuneCountInString(field); n > most {
			longest, most = field, n
		}
	}
	return longest
}

// task: group_anagrams
func GroupAnagrams(words []string) [][]string {
	index := make(map[[26]int]int)
	var groups [][]string
	for _, word := range words {
		var letters [26]int
		for _, c := range strings.ToLower(word) {
			if c >= 'a' && c <= 'z' {
				letters[c-'a']++
			}
		}
		at, ok := index[letters]
		if !ok {
			at = len(groups)
			index[letters] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], word)
	}
	return groups
}

// task: word_ngrams
func WordNgrams(text string, n int) []string {
	tokens := strings.Fields(strings.ToLower(text))
	if n < 1 || n > len(tokens) {
		return nil
	}
	grams := make([]string, len(tokens)-n+1)
	for i := range grams {
		grams[i] = strings.Join(tokens[i:i+n], " ")
	}
	return grams
}

// task: split_sentences
func SplitSentences(paragraph string, abbreviations map[string]bool) []string {
	var sentences []string
	var current strings.Builder
	for _, chunk := range strings.Fields(paragraph) {
		if current.Len() > 0 {
			current.WriteByte(' ')
		}
		current.WriteString(chunk)
		ends := strings.ContainsRune(".!?", rune(chunk[len(chunk)-1]))
		if ends && !abbreviations[chunk] {
			sentences = append(sentences, current.String())
			current.Reset()
		}
	}
	if current.Len() > 0 {
		sentences = append(sentences, current.String())
	}
	return sentences
}

// end
