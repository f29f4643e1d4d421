$same = function (string $task, $got, $want): void {
    if ($got !== $want) {
        throw new Exception($task . ': ' . json_encode($got));
    }
};
$same('word', array_map('isPalindrome', ['level', 'noon', '', 'x']), [true, true, true, true]);
$same('word negative', array_map('isPalindrome', ['Level', 'ab']), [false, false]);
$same('phrase', isPalindromePhrase('A man, a plan, a canal: Panama!'), true);
$same('phrase empty', isPalindromePhrase('?!'), true);
$same('phrase negative', isPalindromePhrase('almost a palindrome'), false);
$same('snake', snakeCase('parseHTTPResponse'), 'parse_http_response');
$same('snake empty', snakeCase(''), '');
$same('wrap', wrapText('the quick  brown fox jumps', 10), ['the quick', 'brown fox', 'jumps']);
$same('wrap long', wrapText('extraordinary day', 5), ['extraordinary', 'day']);
$same('wrap empty', wrapText('  ', 5), []);
$same('reverse', reverseWords('one two  three'), 'three two one');
$same('reverse empty', reverseWords(''), '');
$same('prefix', commonPrefix(['flower', 'flow', 'flight']), 'fl');
$same('prefix none', commonPrefix(['dog', 'cat']), '');
$same('prefix empty', commonPrefix([]), '');
