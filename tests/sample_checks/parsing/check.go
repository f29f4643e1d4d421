package main

import "fmt"

func same(got interface{}, want, name string) {
	if text := fmt.Sprintf("%v", got); text != want {
		panic(fmt.Sprintf("%s: got %s, want %s", name, text, want))
	}
}

func main() {
	same(fmt.Sprintf("%q", splitCSV(`a,"b,c",d`)), `["a" "b,c" "d"]`, "csv_line_split")
	same(fmt.Sprintf("%q", splitCSV(`"say ""hi""",,""`)), `["say \"hi\"" "" ""]`, "csv_line_split")
	same(fmt.Sprintf("%q", splitCSV("")), `[""]`, "csv_line_split")
	same(fmt.Sprintf("%q", csvColumns(`a,"b,c",d`)), `["a" "b,c" "d"]`, "csv_line_regex")
	same(fmt.Sprintf("%q", csvColumns(`"say ""hi""",,""`)), `["say \"hi\"" "" ""]`, "csv_line_regex")
	same(fmt.Sprintf("%q", csvColumns("")), `[""]`, "csv_line_regex")
	params, err := parseQuery("?q=a+b&tag=1&tag=2")
	same(params, "map[q:[a b] tag:[1 2]]", "query_string_params")
	same(err, "<nil>", "query_string_params")
	params, _ = parseQuery("e=%26&&flag")
	same(params, "map[e:[&] flag:[]]", "query_string_params")
	_, err = parseQuery("bad=%zz")
	same(err != nil, "true", "query_string_params")
	for formula, want := range map[string]string{"2 + 3 * 4": "14", "(2 + 3) * -4 / 8": "-2.5", "10 - 3 - 2": "5"} {
		value, err := evaluate(formula)
		same(value, want, "arithmetic_expression_value")
		same(err, "<nil>", "arithmetic_expression_value")
	}
	_, err = evaluate("(1 + 2")
	same(err != nil, "true", "arithmetic_expression_value")
	number, err := romanToInt("MCMXC")
	same(number, "1990", "roman_numeral_to_integer")
	same(err, "<nil>", "roman_numeral_to_integer")
	number, _ = romanToInt("")
	same(number, "0", "roman_numeral_to_integer")
	_, err = romanToInt("ABC")
	same(err != nil, "true", "roman_numeral_to_integer")
	ip, path, status, at, err := parseAccessLog(`10.0.0.7 - bob [05/Mar/2023:10:11:12 +0000] "GET /a?b=1 HTTP/1.1" 404 -`)
	same(fmt.Sprint(ip, " ", path, " ", status, " ", at.Unix(), " ", err), "10.0.0.7 /a?b=1 404 1678011072 <nil>", "access_log_line")
	_, _, _, _, err = parseAccessLog("nonsense")
	same(err != nil, "true", "access_log_line")
}
