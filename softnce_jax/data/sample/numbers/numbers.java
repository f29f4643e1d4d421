import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

class Numbers {

    // task: gcd_euclid
    static long gcd(long a, long b) {
        while (b != 0) {
            long remainder = a % b;
            a = b;
            b = remainder;
        }
        return Math.abs(a);
    }

    // task: gcd_subtraction
    static int highestCommonFactor(int first, int second) {
        int larger = Math.max(first, second);
        int smaller = Math.min(first, second);
        while (smaller > 0) {
            int difference = larger - smaller;
            larger = Math.max(difference, smaller);
            smaller = Math.min(difference, smaller);
        }
        return larger;
    }

    // task: prime_sieve
    static List<Integer> primesUpTo(int limit) {
        BitSet composite = new BitSet(limit + 1);
        List<Integer> primes = new ArrayList<>();
        for (int n = 2; n <= limit; n = composite.nextClearBit(n + 1)) {
            primes.add(n);
            for (long multiple = (long) n * n; multiple <= limit; multiple += n) {
                composite.set((int) multiple);
            }
        }
        return primes;
    }

    // task: modular_power
    static long powMod(long base, long exponent, int modulus) {
        long result = 1 % modulus;
        long square = Math.floorMod(base, (long) modulus);
        while (exponent > 0) {
            if ((exponent & 1) == 1) {
                result = result * square % modulus;
            }
            square = square * square % modulus;
            exponent >>= 1;
        }
        return result;
    }

    // task: prime_factors
    static Map<Integer, Integer> primeFactors(int number) {
        Map<Integer, Integer> exponents = new TreeMap<>();
        int divisor = 2;
        while (number > 1) {
            if (number % divisor == 0) {
                exponents.merge(divisor, 1, Integer::sum);
                number /= divisor;
            } else if ((long) divisor * divisor < number) {
                divisor++;
            } else {
                divisor = number;
            }
        }
        return exponents;
    }

    // task: digital_root
    static int digitalRoot(long value) {
        String digits = Long.toString(Math.abs(value));
        while (digits.length() > 1) {
            int total = digits.chars().map(Character::getNumericValue).sum();
            digits = String.valueOf(total);
        }
        return Integer.parseInt(digits);
    }

    // end
}
