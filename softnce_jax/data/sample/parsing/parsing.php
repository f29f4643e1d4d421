<?php

// task: csv_line_split
function splitCsvLine(string $line, string $separator = ','): array
{
    $fields = [''];
    $quoted = false;
    for ($i = 0; $i < strlen($line); $i++) {
        $last = count($fields) - 1;
        if ($line[$i] === '"' && $quoted && ($line[$i + 1] ?? '') === '"') {
            $fields[$last] .= $line[++$i];
        } elseif ($line[$i] === '"') {
            $quoted = !$quoted;
        } elseif ($line[$i] === $separator && !$quoted) {
            $fields[] = '';
        } else {
            $fields[$last] .= $line[$i];
        }
    }
    return $fields;
}

// task: csv_line_regex
function csvColumns(string $record): array
{
    preg_match_all('/\G(?:"((?:[^"]|"")*)"|([^,"]*)),/', "$record,", $matches, PREG_SET_ORDER);
    $columns = [];
    foreach ($matches as $match) {
        $columns[] = $match[2] ?? str_replace('""', '"', $match[1]);
    }
    return $columns;
}

// task: query_string_params
function parseQueryString(string $url): array
{
    $query = parse_url($url, PHP_URL_QUERY) ?? '';
    $params = [];
    foreach (array_filter(explode('&', $query), 'strlen') as $part) {
        [$name, $value] = array_map('urldecode', explode('=', $part, 2)) + [1 => ''];
        if (array_key_exists($name, $params)) {
            $params[$name] = array_merge((array) $params[$name], [$value]);
        } else {
            $params[$name] = $value;
        }
    }
    return $params;
}

// task: arithmetic_expression_value
function calculate(string $expression): float
{
    preg_match_all('~\d+(?:\.\d+)?|[-+*/()]~', "($expression)", $found);
    $rank = ['(' => 0, ')' => 1, '+' => 1, '-' => 1, '*' => 2, '/' => 2];
    $values = $pending = [];
    foreach ($found[0] as $token) {
        if (is_numeric($token)) {
            $values[] = (float) $token;
            continue;
        }
        while ($token !== '(' && $rank[end($pending)] >= $rank[$token]) {
            $right = array_pop($values);
            $left = array_pop($values);
            $values[] = match (array_pop($pending)) {
                '+' => $left + $right,
                '-' => $left - $right,
                '*' => $left * $right,
                '/' => $left / $right,
            };
        }
        $token === ')' ? array_pop($pending) : array_push($pending, $token);
    }
    return $values[0];
}

// task: roman_numeral_to_integer
function romanToInt(string $roman): int
{
    $symbols = [
        'M' => 1000, 'CM' => 900, 'D' => 500, 'CD' => 400, 'C' => 100, 'XC' => 90, 'L' => 50,
        'XL' => 40, 'X' => 10, 'IX' => 9, 'V' => 5, 'IV' => 4, 'I' => 1,
    ];
    $number = 0;
    foreach ($symbols as $symbol => $worth) {
        while (str_starts_with($roman, $symbol)) {
            $number += $worth;
            $roman = substr($roman, strlen($symbol));
        }
    }
    return $number;
}

// task: access_log_line
function parseAccessLog(string $line): ?array
{
    $count = sscanf(
        $line,
        '%s %s %s [%[^]]] "%s %s %[^"]" %d %d',
        $ip, $identity, $user, $stamp, $method, $path, $protocol, $status, $bytes
    );
    if ($count < 8) {
        return null;
    }
    $time = DateTimeImmutable::createFromFormat('d/M/Y:H:i:s O', $stamp);
    return compact('ip', 'user', 'time', 'method', 'path', 'status', 'bytes');
}
// end
