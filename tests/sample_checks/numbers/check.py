assert gcd(48, 36) == 12
assert gcd(-17, 5) == 1
assert gcd(0, 9) == 9

assert largest_shared_divisor(48, 36) == 12
assert largest_shared_divisor(7, 7) == 7
assert largest_shared_divisor(0, 9) == 9

assert primes_up_to(1) == []
assert primes_up_to(2) == [2]
assert primes_up_to(25) == [2, 3, 5, 7, 11, 13, 17, 19, 23]

assert power_mod(4, 13, 497) == 445
assert power_mod(5, 0, 1) == 0
assert power_mod(-2, 3, 5) == 2

assert factorize(360) == [2, 2, 2, 3, 3, 5]
assert factorize(1) == []
assert factorize(97) == [97]

assert digital_root(9875) == 2
assert digital_root(0) == 0
assert digital_root(-39) == 3
