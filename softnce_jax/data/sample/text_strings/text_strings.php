<?php

// task: palindrome_word
function isPalindrome(string $word): bool
{
    $end = strlen($word);
    for ($start = 0; $start < --$end; $start++) {
        if ($word[$start] !== $word[$end]) {
            return false;
        }
    }

    return true;
}

// task: palindrome_phrase
function isPalindromePhrase(string $phrase): bool
{
    $letters = preg_replace('/[^a-z0-9]/', '', strtolower($phrase));

    return $letters === strrev($letters);
}

// task: camel_to_snake_case
function snakeCase(string $input): string
{
    $words = preg_split(
        '/(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/',
        $input
    );

    return implode('_', array_map('strtolower', $words));
}

// task: wrap_text
function wrapText(string $text, int $width): array
{
    $normalized = trim(preg_replace('/\s+/', ' ', $text));
    if ($normalized === '') {
        return [];
    }

    return explode("\n", wordwrap($normalized, $width));
}

// task: reverse_word_order
function reverseWords(string $sentence): string
{
    $reversed = '';
    $token = strtok($sentence, " \t\n");
    while ($token !== false) {
        $reversed = $token . ' ' . $reversed;
        $token = strtok(" \t\n");
    }

    return rtrim($reversed);
}

// task: longest_common_prefix
function commonPrefix(array $strings): string
{
    $first = reset($strings) ?: '';
    $length = strlen($first);
    foreach ($strings as $other) {
        while (strncmp($first, $other, $length) !== 0) {
            $length--;
        }
    }

    return substr($first, 0, $length);
}
// end
