package main

import (
	"fmt"
	"reflect"
)

func main() {
	equal := func(task string, got, want interface{}) {
		if !reflect.DeepEqual(got, want) {
			panic(fmt.Sprintf("%s: got %v, want %v", task, got, want))
		}
	}
	equal("gcd_euclid", gcd(48, 36), 12)
	equal("gcd_euclid", gcd(-17, 5), 1)
	equal("gcd_euclid", gcd(0, 9), 9)

	equal("gcd_subtraction", commonFactor(48, 36), uint(12))
	equal("gcd_subtraction", commonFactor(7, 7), uint(7))
	equal("gcd_subtraction", commonFactor(0, 9), uint(9))

	equal("prime_sieve", primesUpTo(1), []int{})
	equal("prime_sieve", primesUpTo(2), []int{2})
	equal("prime_sieve", primesUpTo(25), []int{2, 3, 5, 7, 11, 13, 17, 19, 23})

	equal("modular_power", powMod(4, 13, 497), uint64(445))
	equal("modular_power", powMod(5, 0, 1), uint64(0))
	equal("modular_power", powMod(10, 3, 7), uint64(6))

	equal("prime_factors", primeFactors(360), map[int]int{2: 3, 3: 2, 5: 1})
	equal("prime_factors", primeFactors(1), map[int]int{})
	equal("prime_factors", primeFactors(97), map[int]int{97: 1})

	equal("digital_root", digitalRoot(9875), int64(2))
	equal("digital_root", digitalRoot(0), int64(0))
	equal("digital_root", digitalRoot(39), int64(3))
}
