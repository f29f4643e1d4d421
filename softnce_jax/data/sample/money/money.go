package main

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// task: compound_interest
func CompoundInterest(principal, annualRate float64, perYear, years int) float64 {
	if perYear <= 0 {
		perYear = 1
	}
	periodic := annualRate / float64(perYear)
	factor := math.Pow(1+periodic, float64(perYear*years))
	earned := principal*factor - principal
	return math.Round(earned*100) / 100
}

// task: savings_balance
func SavingsBalance(depositCents int64, percent float64, years int) int64 {
	balance := depositCents
	for y := 0; y < years; y++ {
		interest := float64(balance) * percent / 100
		balance += int64(interest + 0.5)
	}
	return balance
}

// task: make_change
func MakeChange(amount int, denominations []int) (map[int]int, error) {
	coins := append([]int(nil), denominations...)
	sort.Sort(sort.Reverse(sort.IntSlice(coins)))
	change := make(map[int]int)
	for _, coin := range coins {
		for amount >= coin {
			change[coin]++
			amount -= coin
		}
	}
	if amount != 0 {
		return nil, fmt.Errorf("%d cannot be paid out", amount)
	}
	return change, nil
}

// task: split_bill
func SplitBill(cents, people, tipPercent int) ([]int, error) {
	if people < 1 {
		return nil, errors.New("split bill: nobody at the table")
	}
	total := cents + cents*tipPercent/100
	shares := make([]int, people)
	for i := range shares {
		shares[i] = total / people
		if i < total%people {
			shares[i]++
		}
	}
	return shares, nil
}

// task: format_money
func FormatMoney(cents int64, symbol string) string {
	var b strings.Builder
	if cents < 0 {
		b.WriteByte('-')
		cents = -cents
	}
	b.WriteString(symbol)
	digits := strconv.FormatInt(cents/100, 10)
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	fmt.Fprintf(&b, ".%02d", cents%100)
	return b.String()
}

// task: income_tax
func IncomeTax(income float64, limits, rates []float64) float64 {
	var owed, lower float64
	for i, rate := range rates {
		upper := math.Inf(1)
		if i < len(limits) {
			upper = limits[i]
		}
		if income <= upper {
			return owed + (income-lower)*rate
		}
		owed += (upper - lower) * rate
		lower = upper
	}
	return owed
}

// end
