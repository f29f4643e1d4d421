package main

import (
	"fmt"
	"math"
	"reflect"
)

func expect(task string, got, want interface{}) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("%s: got %v, want %v", task, got, want))
	}
}

func main() {
	expect("compound_interest", CompoundInterest(1000, 0.12, 12, 1), 126.83)
	expect("compound_interest", CompoundInterest(1000, 0.05, 0, 2), 102.5)
	expect("savings_balance", SavingsBalance(100000, 5, 2), int64(110250))
	expect("savings_balance", SavingsBalance(25000, 3, 0), int64(25000))
	change, err := MakeChange(291, []int{1, 2, 5, 10, 20, 50, 100, 200})
	expect("make_change", change, map[int]int{200: 1, 50: 1, 20: 2, 1: 1})
	expect("make_change", err, nil)
	_, err = MakeChange(3, []int{5, 2})
	expect("make_change", err != nil, true)
	shares, _ := SplitBill(1000, 3, 0)
	expect("split_bill", shares, []int{334, 333, 333})
	shares, _ = SplitBill(1000, 2, 10)
	expect("split_bill", shares, []int{550, 550})
	_, err = SplitBill(10, 0, 0)
	expect("split_bill", err != nil, true)
	expect("format_money", FormatMoney(123456789, "$"), "$1,234,567.89")
	expect("format_money", FormatMoney(-5, "€"), "-€0.05")
	expect("format_money", FormatMoney(100000, "$"), "$1,000.00")
	limits, rates := []float64{10000, 40000}, []float64{0.1, 0.2, 0.4}
	expect("income_tax", math.Round(IncomeTax(50000, limits, rates)), 11000.0)
	expect("income_tax", IncomeTax(10000, limits, rates), 1000.0)
	expect("income_tax", IncomeTax(0, limits, rates), 0.0)
}
