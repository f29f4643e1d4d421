raise "weekday_zeller" unless day_of_week(2000, 1, 1) == :saturday
raise "weekday_zeller" unless day_of_week(2024, 2, 29) == :thursday
raise "weekday_zeller" unless day_of_week(1969, 7, 20) == :sunday
raise "weekday_from_known_monday" unless weekday_name("2001-01-01") == "Monday"
raise "weekday_from_known_monday" unless weekday_name("1999-12-31") == "Friday"
raise "weekday_from_known_monday" unless weekday_name("2023-02-30").nil?
january = Date.new(2023, 1, 1)..Date.new(2023, 1, 31)
raise "overlap" unless overlap_in_days(january, Date.new(2023, 1, 30)..Date.new(2023, 2, 2)) == 2
raise "overlap" unless overlap_in_days(january, Date.new(2023, 2, 1)..Date.new(2023, 2, 2)).zero?
raise "overlap" unless overlap_in_days(january, january) == 31
raise "duration" unless duration_in_words(90_061) == "1 day, 1 hour, 1 minute and 1 second"
raise "duration" unless duration_in_words(7200) == "2 hours"
raise "duration" unless duration_in_words(0) == "just now"
raise "business" unless working_days(Date.new(2023, 5, 1), Date.new(2023, 5, 7)) == 5
raise "business" unless working_days(Date.new(2023, 5, 1), Date.new(2023, 5, 7), holidays: [Date.new(2023, 5, 1)]) == 4
raise "business" unless working_days(Date.new(2023, 5, 6), Date.new(2023, 5, 7)).zero?
raise "add months" unless months_later(Date.new(2023, 1, 31), 1) == Date.new(2023, 2, 28)
raise "add months" unless months_later(Date.new(2024, 3, 31), -1) == Date.new(2024, 2, 29)
raise "add months" unless months_later(Date.new(2023, 11, 15), 2) == Date.new(2024, 1, 15)
