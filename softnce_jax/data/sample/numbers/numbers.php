<?php

// task: gcd_euclid
function gcd(int $a, int $b): int
{
    while ($b !== 0) {
        [$a, $b] = [$b, $a % $b];
    }
    return abs($a);
}

// task: gcd_subtraction
function highestCommonFactor(int $first, int $second): int
{
    $numbers = [$first, $second];
    while (min($numbers) > 0 && $numbers[0] !== $numbers[1]) {
        rsort($numbers);
        $numbers[0] -= $numbers[1];
    }
    return max($numbers);
}

// task: prime_sieve
function primesUpTo(int $limit): array
{
    if ($limit < 2) {
        return [];
    }
    $candidates = array_fill(2, $limit - 1, true);
    for ($n = 2; $n * $n <= $limit; $n++) {
        if (isset($candidates[$n])) {
            foreach (range($n * $n, $limit, $n) as $multiple) {
                unset($candidates[$multiple]);
            }
        }
    }
    return array_keys($candidates);
}

// task: modular_power
function powMod(int $base, int $exponent, int $modulus): int
{
    $result = 1 % $modulus;
    foreach (str_split(decbin($exponent)) as $bit) {
        $result = $result * $result % $modulus;
        if ($bit === '1') {
            $result = $result * ($base % $modulus) % $modulus;
        }
    }
    return $result;
}

// task: prime_factors
function primeFactors(int $number): array
{
    $factors = [];
    for ($divisor = 2; $divisor ** 2 <= $number; $divisor++) {
        while ($number % $divisor === 0) {
            $factors[] = $divisor;
            $number = intdiv($number, $divisor);
        }
    }
    if ($number > 1) {
        $factors[] = $number;
    }
    return $factors;
}

// task: digital_root
function digitalRoot(int $value): int
{
    $sum = abs($value);
    do {
        $sum = array_sum(str_split((string) $sum));
    } while ($sum >= 10);
    return $sum;
}

// end
