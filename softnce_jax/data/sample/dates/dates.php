<?php

// task: weekday_zeller
function zellerWeekday(int $year, int $month, int $day): string
{
    if ($month < 3) {
        $month += 12;
        $year--;
    }
    $k = $year % 100;
    $j = intdiv($year, 100);
    $h = ($day + intdiv(13 * ($month + 1), 5) + $k + intdiv($k, 4) + intdiv($j, 4) + 5 * $j) % 7;
    return ['Saturday', 'Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'][$h];
}

// task: weekday_from_known_monday
function weekdayOfDate(string $date): string
{
    $names = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
    $monday = new DateTimeImmutable('2001-01-01');
    $interval = $monday->diff(new DateTimeImmutable($date));
    $elapsed = $interval->days % 7;
    if ($interval->invert === 1) {
        $elapsed = (7 - $elapsed) % 7;
    }
    return $names[$elapsed];
}

// task: date_ranges_overlap_days
function overlapDays(array $first, array $second): int
{
    [$startA, $endA] = array_map('strtotime', $first);
    [$startB, $endB] = array_map('strtotime', $second);
    $seconds = min($endA, $endB) - max($startA, $startB);
    return $seconds < 0 ? 0 : (int) round($seconds / 86400) + 1;
}

// task: duration_to_words
function secondsToWords(int $seconds): string
{
    $parts = [];
    foreach (['day' => 86400, 'hour' => 3600, 'minute' => 60, 'second' => 1] as $unit => $size) {
        $amount = intdiv($seconds, $size);
        $seconds %= $size;
        if ($amount > 0) {
            $parts[] = $amount . ' ' . $unit . ($amount > 1 ? 's' : '');
        }
    }
    return $parts ? implode(', ', $parts) : '0 seconds';
}

// task: business_days_between
function businessDays(DateTimeInterface $from, DateTimeInterface $to, array $holidays = []): int
{
    $count = 0;
    $period = new DatePeriod($from, new DateInterval('P1D'), $to);
    foreach ($period as $date) {
        $weekend = (int) $date->format('N') >= 6;
        if (!$weekend && !in_array($date->format('Y-m-d'), $holidays, true)) {
            $count++;
        }
    }
    return $count;
}

// task: date_add_months
function addMonths(DateTimeImmutable $date, int $months): DateTimeImmutable
{
    $target = $date->modify('first day of this month')->modify(sprintf('%+d months', $months));
    $lastDay = (int) $target->format('t');
    $day = min((int) $date->format('j'), $lastDay);
    return $target->setDate((int) $target->format('Y'), (int) $target->format('n'), $day);
}
// end
