package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// task: palindrome_word
func isPalindrome(word string) bool {
	runes := []rune(word)
	for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
		if runes[i] != runes[j] {
			return false
		}
	}
	return true
}

// task: palindrome_phrase
func phraseIsPalindrome(phrase string) bool {
	var kept, mirror string
	for _, c := range strings.ToLower(phrase) {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			kept += string(c)
			mirror = string(c) + mirror
		}
	}
	return kept == mirror
}

// task: camel_to_snake_case
func toSnake(name string) string {
	var out strings.Builder
	previous := '_'
	for _, char := range name {
		if unicode.IsUpper(char) && previous != '_' && !unicode.IsUpper(previous) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(char))
		previous = char
	}
	return out.String()
}

// task: wrap_text
func wrapText(text string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		last := len(lines) - 1
		size := utf8.RuneCountInString(word)
		if last >= 0 && utf8.RuneCountInString(lines[last])+1+size <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// task: reverse_word_order
func reverseWords(sentence string) string {
	fields := strings.Fields(sentence)
	n := len(fields)
	reversed := make([]string, n)
	for i, field := range fields {
		reversed[n-1-i] = field
	}
	return strings.Join(reversed, " ")
}

// task: longest_common_prefix
func commonPrefix(first string, rest ...string) string {
	for end := range first {
		for _, other := range rest {
			if end >= len(other) || other[end] != first[end] {
				return first[:end]
			}
		}
	}
	return first
}

// end
