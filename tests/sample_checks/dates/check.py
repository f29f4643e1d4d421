assert zeller_weekday(2000, 1, 1) == "Saturday"
assert zeller_weekday(1969, 7, 20) == "Sunday"
assert zeller_weekday(2024, 2, 29) == "Thursday"
assert weekday_of(date(1900, 1, 1)) == "Monday"
assert weekday_of(date(2024, 2, 29)) == "Thursday"
assert weekday_of(date(2024, 3, 1)) == "Friday"
assert weekday_of(date(1999, 12, 31)) == "Friday"
january = (date(2023, 1, 1), date(2023, 1, 31))
assert shared_days(january, (date(2023, 1, 30), date(2023, 2, 2))) == 2
assert shared_days(january, (date(2023, 2, 1), date(2023, 2, 2))) == 0
try:
    shared_days(january, (date(2023, 2, 2), date(2023, 2, 1)))
    raise AssertionError("reversed range accepted")
except ValueError:
    pass
assert humanize_seconds(90061) == "1 day, 1 hour, 1 minute, 1 second"
assert humanize_seconds(7200) == "2 hours"
assert humanize_seconds(0) == "0 seconds"
assert count_business_days(date(2023, 5, 1), date(2023, 5, 8)) == 5
assert count_business_days(date(2023, 5, 1), date(2023, 5, 8), [date(2023, 5, 1)]) == 4
assert count_business_days(date(2023, 5, 6), date(2023, 5, 6)) == 0
assert add_months(date(2023, 1, 31), 1) == date(2023, 2, 28)
assert add_months(date(2024, 3, 31), -1) == date(2024, 2, 29)
assert add_months(date(2023, 11, 15), 2) == date(2024, 1, 15)
