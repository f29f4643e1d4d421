<?php

declare(strict_types=1);

// task: compound_interest
function compoundInterest(float $principal, float $rate, int $years, int $perYear = 12): float
{
    if ($principal < 0 || $perYear < 1) {
        throw new InvalidArgumentException('principal and periods must be positive');
    }
    $growth = (1 + $rate / $perYear) ** ($perYear * $years);
    return round($principal * $growth - $principal, 2);
}

// task: savings_balance
function savingsBalance(float $deposit, float $percent, int $years): float
{
    $balance = $deposit;
    for ($year = 0; $year < $years; $year++) {
        $interest = round($balance * $percent / 100, 2);
        $balance += $interest;
    }
    return round($balance, 2);
}

// task: make_change
function makeChange(int $amount, array $coins = [200, 100, 50, 20, 10, 5, 2, 1]): array
{
    rsort($coins);
    $change = [];
    foreach ($coins as $coin) {
        $count = intdiv($amount, $coin);
        if ($count > 0) {
            $change[$coin] = $count;
            $amount -= $count * $coin;
        }
    }
    if ($amount !== 0) {
        throw new RuntimeException("Cannot pay the remaining {$amount}");
    }
    return $change;
}

// task: split_bill
function splitBill(int $cents, int $people, int $tipPercent = 0): array
{
    if ($people < 1) {
        throw new InvalidArgumentException('nobody to share with');
    }
    $total = $cents + intdiv($cents * $tipPercent, 100);
    $shares = array_fill(0, $people, intdiv($total, $people));
    $leftover = $total % $people;
    while ($leftover-- > 0) {
        $shares[$leftover]++;
    }
    return $shares;
}

// task: format_money
function formatMoney(int $cents, string $symbol = '$'): string
{
    $text = $symbol . number_format(abs($cents) / 100, 2, '.', ',');
    if ($cents < 0) {
        return '-' . $text;
    }
    return $text;
}

// task: income_tax
function incomeTax(float $income, array $brackets): float
{
    ksort($brackets);
    $starts = array_keys($brackets);
    $owed = 0.0;
    foreach ($starts as $i => $from) {
        $to = $starts[$i + 1] ?? INF;
        $slice = max(0, min($income, $to) - $from);
        $owed += $slice * $brackets[$from];
    }
    return round($owed, 2);
}
// end
