package main

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// task: format_byte_size
func humanBytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	size := float64(n) / 1024
	units := []string{"KB", "MB", "GB", "TB"}
	for len(units) > 1 && size >= 1024 {
		size /= 1024
		units = units[1:]
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}

// task: file_size_unit
func sizeWithUnit(length uint64) string {
	const prefixes = "KMGTPE"
	if length < 1<<10 {
		return strconv.FormatUint(length, 10) + " bytes"
	}
	exponent := (bits.Len64(length) - 1) / 10
	scaled := float64(length) / float64(uint64(1)<<(10*exponent))
	number := strconv.FormatFloat(scaled, 'f', 2, 64)
	return number + " " + string(prefixes[exponent-1]) + "iB"
}

// task: ordinal_number
func ordinal(number int) string {
	suffix := "th"
	if tens := number / 10 % 10; tens != 1 {
		switch number % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(number) + suffix
}

// task: thousands_separator
func groupThousands(value int64, sep rune) string {
	digits := strconv.FormatInt(value, 10)
	var out strings.Builder
	if value < 0 {
		out.WriteByte('-')
		digits = digits[1:]
	}
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteRune(sep)
		}
		out.WriteRune(digit)
	}
	return out.String()
}

// task: progress_bar
func progressBar(done, total, width int) string {
	percent := 100
	if done < 0 {
		percent = 0
	} else if done < total {
		percent = 100 * done / total
	}
	bar := make([]byte, width)
	for cell := range bar {
		bar[cell] = ' '
		if 100*cell < percent*width {
			bar[cell] = '='
		}
	}
	return fmt.Sprintf("[%s] %d%%", bar, percent)
}

// task: text_table
func renderTable(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for column, cell := range row {
			if len(cell) > widths[column] {
				widths[column] = len(cell)
			}
		}
	}
	var table strings.Builder
	for _, row := range rows {
		padded := make([]string, len(row))
		for column, cell := range row {
			padded[column] = fmt.Sprintf("%-*s", widths[column], cell)
		}
		line := strings.Join(padded, " | ")
		fmt.Fprintln(&table, strings.TrimRight(line, " "))
	}
	return table.String()
}

// end
