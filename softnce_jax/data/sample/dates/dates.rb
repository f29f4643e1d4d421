require "date"

# task: weekday_zeller
def day_of_week(year, month, day)
  month, year = month + 12, year - 1 if month <= 2
  j, k = year.divmod(100)
  h = (day + 13 * (month + 1) / 5 + k + k / 4 + j / 4 - 2 * j) % 7
  %w[saturday sunday monday tuesday wednesday thursday friday][h].to_sym
end

# task: weekday_from_known_monday
def weekday_name(text)
  date = Date.parse(text)
  monday = Date.new(2001, 1, 1)
  elapsed = (date - monday).to_i
  Date::DAYNAMES.rotate(1).fetch(elapsed % 7)
rescue Date::Error
  nil
end

# task: date_ranges_overlap_days
def overlap_in_days(stay, other)
  return 0 if stay.end < other.begin || other.end < stay.begin

  from = [stay.begin, other.begin].max
  to = [stay.end, other.end].min
  (from..to).count
end

# task: duration_to_words
def duration_in_words(seconds)
  minutes, seconds = seconds.divmod(60)
  hours, minutes = minutes.divmod(60)
  days, hours = hours.divmod(24)
  pieces = { "day" => days, "hour" => hours, "minute" => minutes, "second" => seconds }
  words = pieces.reject { |_, n| n.zero? }.map { |unit, n| "#{n} #{unit}#{'s' if n > 1}" }
  return "just now" if words.empty?

  words.size == 1 ? words.first : "#{words[0..-2].join(', ')} and #{words.last}"
end

# task: business_days_between
def working_days(first, last, holidays: [])
  (first..last).count do |day|
    next false if day.saturday? || day.sunday?

    !holidays.include?(day)
  end
end

# task: date_add_months
def months_later(date, count)
  year, zero_based = (date.year * 12 + date.month - 1 + count).divmod(12)
  final = Date.new(year, zero_based + 1, -1)
  return final if date.day > final.day

  Date.new(year, final.month, date.day)
end
# end
