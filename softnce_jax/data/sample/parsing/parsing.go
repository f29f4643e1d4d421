package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// task: csv_line_split
func splitCSV(line string) []string {
	var fields []string
	var field strings.Builder
	quoted := false
	runes := []rune(line)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; {
		case c == '"' && quoted && i+1 < len(runes) && runes[i+1] == '"':
			field.WriteRune(c)
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			fields = append(fields, field.String())
			field.Reset()
		default:
			field.WriteRune(c)
		}
	}
	return append(fields, field.String())
}

// task: csv_line_regex
func csvColumns(record string) []string {
	cell := regexp.MustCompile(`("(?:[^"]|"")*"|[^,"]*),`)
	matches := cell.FindAllStringSubmatch(record+",", -1)
	columns := make([]string, len(matches))
	for i, match := range matches {
		text := match[1]
		if strings.HasPrefix(text, `"`) {
			text = strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
		}
		columns[i] = text
	}
	return columns
}

// task: query_string_params
func parseQuery(raw string) (map[string][]string, error) {
	params := make(map[string][]string)
	for _, pair := range strings.Split(strings.TrimPrefix(raw, "?"), "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			return nil, err
		}
		decoded, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		params[name] = append(params[name], decoded)
	}
	return params, nil
}

// task: arithmetic_expression_value
func evaluate(formula string) (float64, error) {
	root, err := parser.ParseExpr(formula)
	if err != nil {
		return 0, err
	}
	var walk func(ast.Expr) float64
	walk = func(node ast.Expr) float64 {
		switch n := node.(type) {
		case *ast.ParenExpr:
			return walk(n.X)
		case *ast.UnaryExpr:
			return -walk(n.X)
		case *ast.BinaryExpr:
			x, y := walk(n.X), walk(n.Y)
			results := map[token.Token]float64{token.ADD: x + y, token.SUB: x - y, token.MUL: x * y, token.QUO: x / y}
			return results[n.Op]
		case *ast.BasicLit:
			number, _ := strconv.ParseFloat(n.Value, 64)
			return number
		}
		return math.NaN()
	}
	return walk(root), nil
}

// task: roman_numeral_to_integer
func romanToInt(numeral string) (int, error) {
	values := map[byte]int{'I': 1, 'V': 5, 'X': 10, 'L': 50, 'C': 100, 'D': 500, 'M': 1000}
	total, last := 0, 0
	for i := len(numeral) - 1; i >= 0; i-- {
		value, ok := values[numeral[i]]
		if !ok {
			return 0, fmt.Errorf("invalid roman digit %q", numeral[i])
		}
		if value < last {
			total -= value
		} else {
			total += value
			last = value
		}
	}
	return total, nil
}

// task: access_log_line
func parseAccessLog(line string) (ip, path string, status int, at time.Time, err error) {
	var user, zone, method, protocol, stamp string
	cleaned := strings.NewReplacer("[", "", "]", "", "\"", "").Replace(line)
	layout := "%s - %s %s %s %s %s %s %d"
	_, err = fmt.Sscanf(cleaned, layout, &ip, &user, &stamp, &zone, &method, &path, &protocol, &status)
	if err == nil {
		at, err = time.Parse("02/Jan/2006:15:04:05 -0700", stamp+" "+zone)
	}
	return ip, path, status, at, err
}

// end
