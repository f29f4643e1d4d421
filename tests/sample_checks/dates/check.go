package main

import "time"

func check(ok bool, name string) {
	if !ok {
		panic(name)
	}
}

func on(year, month, day int) time.Time {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}

func main() {
	check(zellerCongruence(2000, 1, 1) == time.Saturday, "weekday_zeller")
	check(zellerCongruence(2024, 2, 29) == time.Thursday, "weekday_zeller")
	check(zellerCongruence(1969, 7, 20) == time.Sunday, "weekday_zeller")
	name, err := weekdayName("2024-02-29")
	check(err == nil && name == "Thursday", "weekday_from_known_monday")
	name, err = weekdayName("1969-07-20")
	check(err == nil && name == "Sunday", "weekday_from_known_monday")
	_, err = weekdayName("2023-02-30")
	check(err != nil, "weekday_from_known_monday")
	check(overlapDays(on(2023, 1, 1), on(2023, 1, 31), on(2023, 1, 30), on(2023, 2, 2)) == 2, "date_ranges_overlap_days")
	check(overlapDays(on(2023, 1, 1), on(2023, 1, 31), on(2023, 2, 1), on(2023, 2, 2)) == 0, "date_ranges_overlap_days")
	check(humanizeDuration(90061*time.Second) == "1 day 1 hour 1 minute 1 second", "duration_to_words")
	check(humanizeDuration(2*time.Hour) == "2 hours", "duration_to_words")
	check(humanizeDuration(0) == "", "duration_to_words")
	check(countBusinessDays(on(2023, 5, 1), on(2023, 5, 8), nil) == 5, "business_days_between")
	holidays := map[string]bool{"2023-05-01": true}
	check(countBusinessDays(on(2023, 5, 1), on(2023, 5, 8), holidays) == 4, "business_days_between")
	check(countBusinessDays(on(2023, 5, 6), on(2023, 5, 6), nil) == 0, "business_days_between")
	check(addMonths(on(2023, 1, 31), 1).Equal(on(2023, 2, 28)), "date_add_months")
	check(addMonths(on(2024, 3, 31), -1).Equal(on(2024, 2, 29)), "date_add_months")
	check(addMonths(on(2023, 11, 15), 2).Equal(on(2024, 1, 15)), "date_add_months")
}
