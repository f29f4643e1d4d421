# task: gcd_euclid
def greatest_common_divisor(a, b)
  a = a.abs
  b = b.abs
  a, b = b, a % b until b.zero?
  a
end

# task: gcd_subtraction
def highest_common_factor(first, second)
  pair = [first, second]
  return pair.max if pair.include?(0)

  until pair.uniq.one?
    small, large = pair.minmax
    pair = [small, large - small]
  end
  pair.first
end

# task: prime_sieve
def primes_up_to(limit)
  candidates = (0..limit).to_a
  candidates[0] = candidates[1] = nil
  (2..Integer.sqrt(limit)).each do |prime|
    next unless candidates[prime]

    (prime * prime).step(limit, prime) { |multiple| candidates[multiple] = nil }
  end
  candidates.compact
end

# task: modular_power
def power_mod(base, exponent, modulus)
  bits = exponent.to_s(2).each_char
  bits.reduce(1 % modulus) do |result, bit|
    result = result * result % modulus
    bit == '1' ? result * base % modulus : result
  end
end

# task: prime_factors
def prime_factors(number)
  factors = []
  divisor = 2
  while divisor**2 <= number
    quotient, rest = number.divmod(divisor)
    if rest.zero?
      factors << divisor
      number = quotient
    else
      divisor += 1
    end
  end
  number > 1 ? factors.push(number) : factors
end

# task: digital_root
def digital_root(value)
  sum = value.abs
  loop do
    digits = sum.digits
    return digits.first if digits.one?

    sum = digits.sum
  end
end

# end
