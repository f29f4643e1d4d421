def check_equal(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

check_equal 12, greatest_common_divisor(48, 36)
check_equal 1, greatest_common_divisor(-17, 5)
check_equal 9, greatest_common_divisor(0, 9)

check_equal 12, highest_common_factor(48, 36)
check_equal 7, highest_common_factor(7, 7)
check_equal 9, highest_common_factor(0, 9)

check_equal [], primes_up_to(1)
check_equal [2], primes_up_to(2)
check_equal [2, 3, 5, 7, 11, 13, 17, 19, 23], primes_up_to(25)

check_equal 445, power_mod(4, 13, 497)
check_equal 0, power_mod(5, 0, 1)
check_equal 1, power_mod(5, 0, 7)

check_equal [2, 2, 2, 3, 3, 5], prime_factors(360)
check_equal [], prime_factors(1)
check_equal [97], prime_factors(97)

check_equal 2, digital_root(9875)
check_equal 0, digital_root(0)
check_equal 3, digital_root(-39)
