<?php

declare(strict_types=1);

// task: most_common_word
function mostCommonWord(string $text): ?string
{
    $words = str_word_count(strtolower($text), 1);
    if ($words === []) {
        return null;
    }
    $counts = array_count_values($words);
    return (string) array_search(max($counts), $counts, true);
}

// task: top_words
function topWords(string $document, int $limit = 10, array $ignore = []): array
{
    $tally = [];
    foreach (preg_split('/\W+/', strtolower($document), -1, PREG_SPLIT_NO_EMPTY) as $token) {
        if (!in_array($token, $ignore, true)) {
            $tally[$token] = ($tally[$token] ?? 0) + 1;
        }
    }
    uksort($tally, fn ($a, $b) => [$tally[$b], $a] <=> [$tally[$a], $b]);
    return array_slice($tally, 0, $limit, true);
}

// task: longest_word
function longestWord(string $sentence): string
{
    $longest = '';
    foreach (explode(' ', $sentence) as $raw) {
        $candidate = trim($raw, " \t\n.,;:!?\"'()");
        if (strlen($candidate) > strlen($longest)) {
            $longest = $candidate;
        }
    }
    return $longest;
}

// task: group_anagrams
function groupAnagrams(array $words): array
{
    $groups = [];
    foreach ($words as $word) {
        $letters = str_split(strtolower($word));
        sort($letters);
        $groups[implode('', $letters)][] = $word;
    }
    $matches = array_filter($groups, fn (array $members) => count($members) > 1);
    return array_values($matches);
}

// task: word_ngrams
function wordNgrams(string $text, int $n = 2): array
{
    if ($n < 1) {
        throw new InvalidArgumentException('n must be at least 1');
    }
    $tokens = explode(' ', strtolower(trim($text)));
    $grams = [];
    for ($i = 0, $last = count($tokens) - $n; $i <= $last; $i++) {
        $grams[] = implode(' ', array_slice($tokens, $i, $n));
    }
    return $grams;
}

// task: split_sentences
function splitSentences(string $paragraph, array $abbreviations = ['Mr.', 'Dr.', 'e.g.']): array
{
    $sentences = [];
    $carry = '';
    foreach (preg_split('/(?<=[.!?])\s+/', trim($paragraph)) as $part) {
        $carry = ltrim($carry . ' ' . $part);
        $tail = strrchr(' ' . $carry, ' ');
        if (in_array(substr($tail, 1), $abbreviations, true)) {
            continue;
        }
        $sentences[] = $carry;
        $carry = '';
    }
    return $carry === '' ? $sentences : [...$sentences, $carry];
}
// end
