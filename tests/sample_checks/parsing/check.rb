raise "split" unless parse_csv_row('a,"b,c",d') == ["a", "b,c", "d"]
raise "split" unless parse_csv_row('"say ""hi""",,""') == ['say "hi"', "", ""]
raise "split" unless parse_csv_row("") == [""]
raise "regex" unless csv_columns('a,"b,c",d') == ["a", "b,c", "d"]
raise "regex" unless csv_columns('"say ""hi""",,""') == ['say "hi"', "", ""]
raise "regex" unless csv_columns(",x,") == ["", "x", ""]
raise "regex" unless csv_columns("") == [""]
raise "query" unless parse_query("?q=a+b&tag=1&tag=2") == { "q" => "a b", "tag" => %w[1 2] }
raise "query" unless parse_query("e=%26&&flag=") == { "e" => "&", "flag" => "" }
raise "query" unless parse_query("") == {}
raise "calc" unless calculate("2 + 3 * 4") == 14
raise "calc" unless calculate("(2 + 3) * -4 / 8") == -2.5
raise "calc" unless calculate("10 - 3 - 2") == 5
begin
  calculate("(1 + 2")
  raise "calc accepted an open parenthesis"
rescue ArgumentError
  nil
end
raise "roman" unless from_roman("MCMXC") == 1990
raise "roman" unless from_roman("xiv") == 14
begin
  from_roman("ABC")
  raise "roman accepted ABC"
rescue ArgumentError
  nil
end
entry = parse_log_line('10.0.0.7 - bob [05/Mar/2023:10:11:12 +0000] "GET /a?b=1 HTTP/1.1" 404 -')
raise "log" unless entry == { ip: "10.0.0.7", at: Time.utc(2023, 3, 5, 10, 11, 12), request: ["GET", "/a?b=1"], status: 404, bytes: 0 }
raise "log" unless parse_log_line("nonsense").nil?
