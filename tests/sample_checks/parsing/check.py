assert split_csv_line('a,"b,c",d') == ["a", "b,c", "d"]
assert split_csv_line('"say ""hi""",,""') == ['say "hi"', "", ""]
assert split_csv_line("") == [""]
assert split_csv_line("1;2", ";") == ["1", "2"]
assert csv_cells('a,"b,c",d') == ["a", "b,c", "d"]
assert csv_cells('"say ""hi""",,""') == ['say "hi"', "", ""]
assert csv_cells(",x") == ["", "x"]
assert csv_cells("") == [""]
assert query_params("http://x.org/?q=a+b&tag=1&tag=2#top") == {"q": ["a b"], "tag": ["1", "2"]}
assert query_params("http://x.org/?e=%26&flag") == {"e": ["&"], "flag": [""]}
assert query_params("http://x.org/") == {}
assert evaluate("2 + 3 * 4") == 14
assert evaluate("(2 + 3) * -4 / 8") == -2.5
assert evaluate("10 - 3 - 2") == 5
assert evaluate("7") == 7
assert roman_to_int("MCMXC") == 1990
assert roman_to_int("xiv") == 14
assert roman_to_int("") == 0
sample = '10.0.0.7 - bob [05/Mar/2023:10:11:12 +0000] "GET /a?b=1 HTTP/1.1" 404 -'
entry = parse_access_log(sample)
assert (entry["ip"], entry["user"], entry["method"]) == ("10.0.0.7", "bob", "GET")
assert (entry["path"], entry["status"], entry["size"]) == ("/a?b=1", 404, 0)
assert entry["time"].isoformat() == "2023-03-05T10:11:12+00:00"
assert parse_access_log("nonsense") is None
