from itertools import count


# task: gcd_euclid
def gcd(a, b):
    if a < 0 or b < 0:
        return gcd(abs(a), abs(b))
    while b:
        a, b = b, a % b
    return a


# task: gcd_subtraction
def largest_shared_divisor(first, second):
    if first == 0 or second == 0:
        return first + second
    low, high = sorted((first, second))
    while low != high:
        low, high = sorted((low, high - low))
    return high


# task: prime_sieve
def primes_up_to(limit):
    if limit < 2:
        return []
    is_prime = bytearray([1]) * (limit + 1)
    is_prime[0:2] = b"\x00\x00"
    for n in range(2, int(limit**0.5) + 1):
        if is_prime[n]:
            is_prime[n * n :: n] = bytes(len(range(n * n, limit + 1, n)))
    return [n for n, flag in enumerate(is_prime) if flag]


# task: modular_power
def power_mod(base, exponent, modulus):
    result = 1 % modulus
    base %= modulus
    while exponent > 0:
        if exponent & 1:
            result = result * base % modulus
        base = base * base % modulus
        exponent >>= 1
    return result


# task: prime_factors
def factorize(number):
    factors = []
    for divisor in count(2):
        if divisor * divisor > number:
            break
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
    if number > 1:
        factors.append(number)
    return factors


# task: digital_root
def digital_root(value):
    digits = str(abs(value))
    while len(digits) > 1:
        total = sum(int(digit) for digit in digits)
        digits = str(total)
    return int(digits)


# end
