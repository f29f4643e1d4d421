<?php

// task: format_byte_size
function humanFileSize(int $bytes): string
{
    $units = ['B', 'KB', 'MB', 'GB', 'TB'];
    $size = $bytes;
    foreach ($units as $unit) {
        if ($size < 1024 || $unit === 'TB') {
            break;
        }
        $size /= 1024;
    }
    return $unit === 'B' ? "$bytes B" : sprintf('%.1f %s', $size, $unit);
}

// task: file_size_unit
function describeLength(int $length, int $decimals = 2): string
{
    if ($length < 1024) {
        return $length . ' bytes';
    }
    $power = min(intdiv(strlen(decbin($length)) - 1, 10), 6);
    $scaled = round($length / 1024 ** $power, $decimals);
    return $scaled . ' ' . 'KMGTPE'[$power - 1] . 'iB';
}

// task: ordinal_number
function ordinal(int $number): string
{
    $lastTwo = abs($number) % 100;
    if (in_array($lastTwo, [11, 12, 13], true)) {
        return $number . 'th';
    }
    $suffix = match ($lastTwo % 10) {
        1 => 'st',
        2 => 'nd',
        3 => 'rd',
        default => 'th',
    };
    return $number . $suffix;
}

// task: thousands_separator
function groupThousands(int|string $value, string $separator = ','): string
{
    $parts = explode('.', (string) $value, 2);
    $reversed = strrev(ltrim($parts[0], '-'));
    $parts[0] = strrev(implode(strrev($separator), str_split($reversed, 3)));
    $sign = str_starts_with((string) $value, '-') ? '-' : '';
    return $sign . implode('.', $parts);
}

// task: progress_bar
function progressBar(int $done, int $total, int $width = 20): string
{
    $percent = $total > 0 ? 100 * $done / $total : 100;
    $percent = (int) round(max(0, min(100, $percent)));
    $filled = intdiv($percent * $width, 100);
    $bar = str_pad(str_repeat('=', $filled), $width, '.');
    return sprintf('[%s] %3d%%', $bar, $percent);
}

// task: text_table
function renderTable(array $header, array $rows): string
{
    $widths = [];
    foreach ([$header, ...$rows] as $row) {
        foreach ($row as $column => $cell) {
            $widths[$column] = max($widths[$column] ?? 0, strlen($cell));
        }
    }
    $rule = array_map(fn ($width) => str_repeat('-', $width), $widths);
    $lines = [];
    foreach ([$header, $rule, ...$rows] as $row) {
        $padded = array_map('str_pad', $row, $widths);
        $lines[] = rtrim(implode(' | ', $padded));
    }
    return implode(PHP_EOL, $lines);
}

// end
