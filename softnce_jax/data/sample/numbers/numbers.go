package main

// task: gcd_euclid
func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	if a < 0 {
		return -a
	}
	return a
}

// task: gcd_subtraction
func commonFactor(x, y uint) uint {
	for x > 0 && y > 0 {
		switch {
		case x == y:
			return x
		case x > y:
			x -= y
		default:
			y -= x
		}
	}
	return x + y
}

// task: prime_sieve
func primesUpTo(limit int) []int {
	crossed := make([]bool, limit+1)
	primes := []int{}
	for n := 2; n <= limit; n++ {
		if crossed[n] {
			continue
		}
		primes = append(primes, n)
		for multiple := n * n; multiple <= limit; multiple += n {
			crossed[multiple] = true
		}
	}
	return primes
}

// task: modular_power
func powMod(base, exponent, modulus uint64) uint64 {
	if exponent == 0 {
		return 1 % modulus
	}
	half := powMod(base, exponent/2, modulus)
	squared := half * half % modulus
	if exponent%2 == 1 {
		return squared * (base % modulus) % modulus
	}
	return squared
}

// task: prime_factors
func primeFactors(number int) map[int]int {
	exponents := make(map[int]int)
	for divisor := 2; divisor*divisor <= number; divisor++ {
		for number%divisor == 0 {
			exponents[divisor]++
			number /= divisor
		}
	}
	if number > 1 {
		exponents[number] = 1
	}
	return exponents
}

// task: digital_root
func digitalRoot(value int64) int64 {
	for value > 9 {
		var sum int64
		for rest := value; rest > 0; rest /= 10 {
			sum += rest % 10
		}
		value = sum
	}
	return value
}

// end
