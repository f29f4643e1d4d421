package main

import "reflect"

func main() {
	same := func(task string, got, want interface{}) {
		if !reflect.DeepEqual(got, want) {
			panic(task)
		}
	}
	same("word", isPalindrome("level") && isPalindrome("été") && isPalindrome(""), true)
	same("word negative", isPalindrome("Level") || isPalindrome("ab"), false)
	same("phrase", phraseIsPalindrome("A man, a plan, a canal: Panama!"), true)
	same("phrase empty", phraseIsPalindrome("?!"), true)
	same("phrase negative", phraseIsPalindrome("almost a palindrome"), false)
	same("snake", toSnake("userFirstName"), "user_first_name")
	same("snake acronym", toSnake("RequestID"), "request_id")
	same("snake empty", toSnake(""), "")
	same("wrap", wrapText("the quick  brown fox jumps", 10), []string{"the quick", "brown fox", "jumps"})
	same("wrap long", wrapText("extraordinary day", 5), []string{"extraordinary", "day"})
	same("wrap empty", len(wrapText("  ", 5)), 0)
	same("reverse", reverseWords("one two  three"), "three two one")
	same("reverse empty", reverseWords(""), "")
	same("prefix", commonPrefix("flower", "flow", "flight"), "fl")
	same("prefix none", commonPrefix("dog", "cat"), "")
	same("prefix whole", commonPrefix("flow", "flows"), "flow")
	same("prefix empty", commonPrefix(""), "")
}
