function check(bool $ok, string $task): void
{
    if (!$ok) {
        throw new RuntimeException($task);
    }
}
check(splitCsvLine('a,"b,c",d') === ['a', 'b,c', 'd'], 'csv_line_split');
check(splitCsvLine('"say ""hi""",,""') === ['say "hi"', '', ''], 'csv_line_split');
check(splitCsvLine('') === [''], 'csv_line_split');
check(splitCsvLine('1;2', ';') === ['1', '2'], 'csv_line_split');
check(csvColumns('a,"b,c",d') === ['a', 'b,c', 'd'], 'csv_line_regex');
check(csvColumns('"say ""hi""",,""') === ['say "hi"', '', ''], 'csv_line_regex');
check(csvColumns('') === [''], 'csv_line_regex');
check(parseQueryString('http://x.org/?q=a+b&tag=1&tag=2') === ['q' => 'a b', 'tag' => ['1', '2']], 'query_string_params');
check(parseQueryString('http://x.org/?e=%26&&flag') === ['e' => '&', 'flag' => ''], 'query_string_params');
check(parseQueryString('http://x.org/') === [], 'query_string_params');
check(calculate('2 + 3 * 4') === 14.0, 'arithmetic_expression_value');
check(calculate('(2 + 3) * 4 / 8') === 2.5, 'arithmetic_expression_value');
check(calculate('10 - 3 - 2') === 5.0, 'arithmetic_expression_value');
check(romanToInt('MCMXC') === 1990, 'roman_numeral_to_integer');
check(romanToInt('XIV') === 14, 'roman_numeral_to_integer');
check(romanToInt('') === 0, 'roman_numeral_to_integer');
$entry = parseAccessLog('10.0.0.7 - bob [05/Mar/2023:10:11:12 +0000] "GET /a?b=1 HTTP/1.1" 404 512');
check($entry['time']->getTimestamp() === 1678011072, 'access_log_line');
unset($entry['time']);
check($entry === ['ip' => '10.0.0.7', 'user' => 'bob', 'method' => 'GET', 'path' => '/a?b=1', 'status' => 404, 'bytes' => 512], 'access_log_line');
check(parseAccessLog('10.0.0.7 - - [05/Mar/2023:10:11:12 +0000] "GET / HTTP/1.1" 304 -')['status'] === 304, 'access_log_line');
check(parseAccessLog('nonsense') === null, 'access_log_line');
