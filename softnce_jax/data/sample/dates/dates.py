import calendar
from datetime import date, timedelta


# task: weekday_zeller
def zeller_weekday(year, month, day):
    names = ["Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
    if month < 3:
        month += 12
        year -= 1
    century, rest = divmod(year, 100)
    shift = 13 * (month + 1) // 5
    return names[(day + shift + rest + rest // 4 + century // 4 + 5 * century) % 7]


# task: weekday_from_known_monday
def weekday_of(when):
    lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    elapsed = when.day - 1 + sum(lengths[: when.month - 1])
    if calendar.isleap(when.year) and when.month > 2:
        elapsed += 1
    for past in range(1900, when.year):
        elapsed += 366 if calendar.isleap(past) else 365
    return calendar.day_name[elapsed % 7]


# task: date_ranges_overlap_days
def shared_days(first, second):
    for start, end in (first, second):
        if end < start:
            raise ValueError(f"range ends before it starts: {start} > {end}")
    latest_start = max(first[0], second[0])
    earliest_end = min(first[1], second[1])
    return max(0, (earliest_end - latest_start).days + 1)


# task: duration_to_words
def humanize_seconds(total):
    units = [("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)]
    parts = []
    for label, size in units:
        amount, total = divmod(total, size)
        if amount:
            plural = "" if amount == 1 else "s"
            parts.append(f"{amount} {label}{plural}")
    return ", ".join(parts) or "0 seconds"


# task: business_days_between
def count_business_days(start, stop, holidays=()):
    closed = set(holidays)
    current = start
    workdays = 0
    while current < stop:
        if current.weekday() < 5 and current not in closed:
            workdays += 1
        current += timedelta(days=1)
    return workdays


# task: date_add_months
def add_months(original, months):
    offset = original.year * 12 + original.month - 1 + months
    year, index = divmod(offset, 12)
    month = index + 1
    last = calendar.monthrange(year, month)[1]
    return date(year, month, min(original.day, last))


# end
