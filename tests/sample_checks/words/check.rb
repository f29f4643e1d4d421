def expect(wanted, got)
  raise "wanted #{wanted.inspect}, got #{got.inspect}" unless wanted == got
end

expect "the", most_common_word("The cat saw the other cat near the tree")
expect nil, most_common_word(" ... ")
expect [["red", 3], ["blue", 2]], top_words("red blue red green Blue red", 2)
expect [["a", 1], ["b", 1]], top_words("b a c", ignore: ["c"])
expect [], top_words("")
expect "remarkable", longest_word("A quick, 'remarkable' fox!")
expect "", longest_word("")
expect [%w[Listen silent], %w[cat act]], anagram_groups(%w[Listen cat silent act dog])
expect [], anagram_groups([])
expect ["to be", "be or", "or not"], ngrams("To be or not")
expect [], ngrams("a b", 3)
begin
  ngrams("a", 0)
  raise "no error"
rescue ArgumentError
  nil
end
expect ["Dr. Hall left.", "Why?", "Nobody knew"], sentences("Dr. Hall left. Why? Nobody knew")
expect [], sentences("")
