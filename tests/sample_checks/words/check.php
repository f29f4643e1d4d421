function expect($wanted, $got, string $task): void
{
    if ($wanted !== $got) {
        throw new Exception($task . ': got ' . var_export($got, true));
    }
}

expect('the', mostCommonWord('The cat saw the other cat near the tree'), 'most_common_word');
expect(null, mostCommonWord(' ... '), 'most_common_word');
expect(['red' => 3, 'blue' => 2], topWords('red blue red green Blue red', 2), 'top_words');
expect(['a' => 1, 'b' => 1], topWords('b a c', 5, ['c']), 'top_words');
expect([], topWords(''), 'top_words');
expect('remarkable', longestWord("A quick, 'remarkable' fox!"), 'longest_word');
expect('', longestWord(''), 'longest_word');
expect(
    [['Listen', 'silent'], ['cat', 'act']],
    groupAnagrams(['Listen', 'cat', 'silent', 'act', 'dog']),
    'group_anagrams'
);
expect([], groupAnagrams([]), 'group_anagrams');
expect(['to be', 'be or', 'or not'], wordNgrams('To be or not'), 'word_ngrams');
expect([], wordNgrams('a b', 3), 'word_ngrams');
try {
    wordNgrams('a', 0);
    throw new Exception('word_ngrams');
} catch (InvalidArgumentException $e) {
    expect('n must be at least 1', $e->getMessage(), 'word_ngrams');
}
expect(
    ['Dr. Hall left.', 'Why?', 'Nobody knew'],
    splitSentences('Dr. Hall left. Why? Nobody knew'),
    'split_sentences'
);
expect(['See e.g.'], splitSentences('See e.g. '), 'split_sentences');
