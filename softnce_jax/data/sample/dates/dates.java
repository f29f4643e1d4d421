import java.time.DayOfWeek;
import java.time.Duration;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.temporal.ChronoUnit;
import java.util.Set;
import java.util.StringJoiner;

class Dates {
    // task: weekday_zeller
    static String zeller(int year, int month, int day) {
        String[] names = {"Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri"};
        if (month <= 2) {
            month += 12;
            year--;
        }
        int k = year % 100;
        int j = year / 100;
        int h = day + 13 * (month + 1) / 5 + k + k / 4 + j / 4 + 5 * j;
        return names[h % 7];
    }

    // task: weekday_from_known_monday
    static DayOfWeek weekdayOf(String isoDate) {
        LocalDate knownMonday = LocalDate.of(2001, 1, 1);
        LocalDate date = LocalDate.parse(isoDate);
        long elapsed = ChronoUnit.DAYS.between(knownMonday, date);
        return DayOfWeek.MONDAY.plus(elapsed % DayOfWeek.values().length);
    }

    // task: date_ranges_overlap_days
    static long overlapInDays(LocalDate startA, LocalDate endA, LocalDate startB, LocalDate endB) {
        if (endA.isBefore(startB) || endB.isBefore(startA)) {
            return 0;
        }
        LocalDate from = startA.isAfter(startB) ? startA : startB;
        LocalDate to = endA.isBefore(endB) ? endA : endB;
        return from.until(to.plusDays(1), ChronoUnit.DAYS);
    }

    // task: duration_to_words
    static String describe(Duration duration) {
        StringJoiner text = new StringJoiner(" ").setEmptyValue("0s");
        if (duration.toDaysPart() > 0) {
            text.add(duration.toDaysPart() + "d");
        }
        if (duration.toHoursPart() > 0) {
            text.add(duration.toHoursPart() + "h");
        }
        if (duration.toMinutesPart() > 0) {
            text.add(duration.toMinutesPart() + "m");
        }
        if (duration.toSecondsPart() > 0) {
            text.add(duration.toSecondsPart() + "s");
        }
        return text.toString();
    }

    // task: business_days_between
    static long countWorkingDays(LocalDate start, LocalDate endExclusive, Set<LocalDate> holidays) {
        return start.datesUntil(endExclusive)
                .filter(d -> d.getDayOfWeek() != DayOfWeek.SATURDAY)
                .filter(d -> d.getDayOfWeek() != DayOfWeek.SUNDAY)
                .filter(d -> !holidays.contains(d))
                .count();
    }

    // task: date_add_months
    static LocalDate addMonthsClamped(LocalDate date, int months) {
        YearMonth target = YearMonth.from(date).plusMonths(months);
        int wanted = date.getDayOfMonth();
        if (!target.isValidDay(wanted)) {
            return target.atEndOfMonth();
        }
        return target.atDay(wanted);
    }
    // end
}
