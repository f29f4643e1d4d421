assert most_common_word("The cat saw the other cat near the tree") == "the"
assert most_common_word("b a a b") == "a"
assert most_common_word(" ... ") is None
assert top_words("red blue red green Blue red", 2) == [("red", 3), ("blue", 2)]
assert top_words("b a c", ignore={"c"}) == [("a", 1), ("b", 1)]
assert top_words("") == []
assert longest_word("A quick, 'remarkable' fox!") == "remarkable"
assert longest_word("") == ""
assert longest_word("one two") == "one"
assert group_anagrams(["Listen", "cat", "silent", "act", "dog"]) == [
    ["Listen", "silent"],
    ["cat", "act"],
]
assert group_anagrams([]) == []
assert word_ngrams("To be or not") == ["to be", "be or", "or not"]
assert word_ngrams("a b", 3) == []
try:
    word_ngrams("a", 0)
except ValueError:
    pass
else:
    raise AssertionError("word_ngrams")
assert split_sentences("Dr. Hall left. Why? Nobody knew") == [
    "Dr. Hall left.",
    "Why?",
    "Nobody knew",
]
assert split_sentences("") == []
