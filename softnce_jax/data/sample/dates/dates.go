package main

import (
	"fmt"
	"strings"
	"time"
)

// task: weekday_zeller
func zellerCongruence(year, month, day int) time.Weekday {
	if month < 3 {
		month += 12
		year--
	}
	century, offset := year/100, year%100
	h := day + 13*(month+1)/5 + offset + offset/4 + century/4 + 5*century
	return time.Weekday((h + 6) % 7)
}

// task: weekday_from_known_monday
func weekdayName(date string) (string, error) {
	names := [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	parsed, err := time.Parse("2006-01-02", date)
	if err != nil {
		return "", err
	}
	monday := time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC)
	elapsed := int(parsed.Sub(monday).Hours()) / 24 % 7
	if elapsed < 0 {
		elapsed += 7
	}
	return names[elapsed], nil
}

// task: date_ranges_overlap_days
func overlapDays(startA, endA, startB, endB time.Time) int {
	start, end := startA, endA
	if startB.After(start) {
		start = startB
	}
	if endB.Before(end) {
		end = endB
	}
	if end.Before(start) {
		return 0
	}
	return int(end.Sub(start)/(24*time.Hour)) + 1
}

// task: duration_to_words
func humanizeDuration(d time.Duration) string {
	var sb strings.Builder
	units := []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}}
	for _, unit := range units {
		amount := d / unit.size
		d -= amount * unit.size
		switch {
		case amount == 1:
			fmt.Fprintf(&sb, " 1 %s", unit.name)
		case amount > 1:
			fmt.Fprintf(&sb, " %d %ss", int64(amount), unit.name)
		}
	}
	return strings.TrimSpace(sb.String())
}

// task: business_days_between
func countBusinessDays(from, to time.Time, holidays map[string]bool) int {
	count := 0
	for day := from; day.Before(to); day = day.AddDate(0, 0, 1) {
		wd := day.Weekday()
		if wd == time.Saturday || wd == time.Sunday || holidays[day.Format("2006-01-02")] {
			continue
		}
		count++
	}
	return count
}

// task: date_add_months
func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	target := first.AddDate(0, months, 0)
	last := target.AddDate(0, 1, -1).Day()
	if t.Day() < last {
		last = t.Day()
	}
	return target.AddDate(0, 0, last-1)
}

// end
