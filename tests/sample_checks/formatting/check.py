assert human_readable_size(0) == "0 B"
assert human_readable_size(1023) == "1023 B"
assert human_readable_size(1536) == "1.5 KB"
assert human_readable_size(5 * 1024**5) == "5120.0 TB"

assert describe_file_size(0) == "0 bytes"
assert describe_file_size(1023) == "1023 bytes"
assert describe_file_size(1024) == "1.00 KiB"
assert describe_file_size(1572864, 1) == "1.5 MiB"

assert [ordinal(n) for n in (1, 2, 3, 4)] == ["1st", "2nd", "3rd", "4th"]
assert [ordinal(n) for n in (11, 12, 113, 121)] == ["11th", "12th", "113th", "121st"]

assert group_digits(1234567) == "1,234,567"
assert group_digits(-100) == "-100"
assert group_digits(12345.25, " ") == "12 345.25"

assert progress_bar(1, 2, 10) == "[#####.....] 50%"
assert progress_bar(-1, 4, 4) == "[....] 0%"
assert progress_bar(9, 4, 4) == "[####] 100%"
assert progress_bar(0, 0, 4) == "[####] 100%"

assert render_table(["id", "name"], [[1, "ann"], [22, "bo"]]) == (
    "id | name\n-- | ----\n1  | ann\n22 | bo"
)
assert render_table(["a"], []) == "a\n-"
