import java.time.DayOfWeek;
import java.time.Duration;
import java.time.LocalDate;
import java.util.Set;

class Check {
    static void check(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        check(Dates.zeller(2000, 1, 1).equals("Sat"), "weekday_zeller");
        check(Dates.zeller(2024, 2, 29).equals("Thu"), "weekday_zeller");
        check(Dates.zeller(1969, 7, 20).equals("Sun"), "weekday_zeller");
        check(Dates.weekdayOf("2024-02-29") == DayOfWeek.THURSDAY, "weekday_from_known_monday");
        check(Dates.weekdayOf("1969-07-20") == DayOfWeek.SUNDAY, "weekday_from_known_monday");
        LocalDate jan1 = LocalDate.of(2023, 1, 1);
        LocalDate jan31 = LocalDate.of(2023, 1, 31);
        LocalDate feb1 = LocalDate.of(2023, 2, 1);
        check(Dates.overlapInDays(jan1, jan31, LocalDate.of(2023, 1, 30), feb1) == 2, "date_ranges_overlap_days");
        check(Dates.overlapInDays(jan1, jan31, feb1, feb1) == 0, "date_ranges_overlap_days");
        check(Dates.overlapInDays(jan1, feb1, feb1, feb1) == 1, "date_ranges_overlap_days");
        check(Dates.describe(Duration.ofSeconds(90061)).equals("1d 1h 1m 1s"), "duration_to_words");
        check(Dates.describe(Duration.ofHours(2)).equals("2h"), "duration_to_words");
        check(Dates.describe(Duration.ZERO).equals("0s"), "duration_to_words");
        LocalDate mayDay = LocalDate.of(2023, 5, 1);
        check(Dates.countWorkingDays(mayDay, mayDay.plusDays(7), Set.of()) == 5, "business_days_between");
        check(Dates.countWorkingDays(mayDay, mayDay.plusDays(7), Set.of(mayDay)) == 4, "business_days_between");
        check(Dates.countWorkingDays(mayDay, mayDay, Set.of()) == 0, "business_days_between");
        check(Dates.addMonthsClamped(jan31, 1).equals(LocalDate.of(2023, 2, 28)), "date_add_months");
        check(Dates.addMonthsClamped(LocalDate.of(2024, 3, 31), -1).equals(LocalDate.of(2024, 2, 29)), "date_add_months");
        check(Dates.addMonthsClamped(LocalDate.of(2023, 11, 15), 2).equals(LocalDate.of(2024, 1, 15)), "date_add_months");
    }
}
