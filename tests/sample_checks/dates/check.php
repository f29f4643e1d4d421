function check(bool $ok, string $task): void
{
    if (!$ok) {
        throw new RuntimeException($task);
    }
}
$at = fn (string $text) => new DateTimeImmutable($text);
check(zellerWeekday(2000, 1, 1) === 'Saturday', 'weekday_zeller');
check(zellerWeekday(2024, 2, 29) === 'Thursday', 'weekday_zeller');
check(zellerWeekday(1969, 7, 20) === 'Sunday', 'weekday_zeller');
check(weekdayOfDate('2024-02-29') === 'Thu', 'weekday_from_known_monday');
check(weekdayOfDate('1969-07-20') === 'Sun', 'weekday_from_known_monday');
check(weekdayOfDate('2000-12-25') === 'Mon', 'weekday_from_known_monday');
check(overlapDays(['2023-01-01', '2023-01-31'], ['2023-01-30', '2023-02-02']) === 2, 'date_ranges_overlap_days');
check(overlapDays(['2023-01-01', '2023-01-31'], ['2023-02-01', '2023-02-02']) === 0, 'date_ranges_overlap_days');
check(secondsToWords(90061) === '1 day, 1 hour, 1 minute, 1 second', 'duration_to_words');
check(secondsToWords(7200) === '2 hours', 'duration_to_words');
check(secondsToWords(0) === '0 seconds', 'duration_to_words');
check(businessDays($at('2023-05-01'), $at('2023-05-08')) === 5, 'business_days_between');
check(businessDays($at('2023-05-01'), $at('2023-05-08'), ['2023-05-01']) === 4, 'business_days_between');
check(businessDays($at('2023-05-06'), $at('2023-05-06')) === 0, 'business_days_between');
check(addMonths($at('2023-01-31'), 1) == $at('2023-02-28'), 'date_add_months');
check(addMonths($at('2024-03-31'), -1) == $at('2024-02-29'), 'date_add_months');
check(addMonths($at('2023-11-15'), 2) == $at('2024-01-15'), 'date_add_months');
