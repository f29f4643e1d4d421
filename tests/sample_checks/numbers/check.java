import java.util.List;
import java.util.Map;

class Check {
    static void verify(String task, boolean ok) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        verify("gcd_euclid", Numbers.gcd(48, 36) == 12);
        verify("gcd_euclid", Numbers.gcd(-17, 5) == 1);
        verify("gcd_euclid", Numbers.gcd(0, 9) == 9);

        verify("gcd_subtraction", Numbers.highestCommonFactor(48, 36) == 12);
        verify("gcd_subtraction", Numbers.highestCommonFactor(7, 7) == 7);
        verify("gcd_subtraction", Numbers.highestCommonFactor(0, 9) == 9);

        verify("prime_sieve", Numbers.primesUpTo(1).isEmpty());
        verify("prime_sieve", Numbers.primesUpTo(2).equals(List.of(2)));
        verify("prime_sieve", Numbers.primesUpTo(25).equals(List.of(2, 3, 5, 7, 11, 13, 17, 19, 23)));

        verify("modular_power", Numbers.powMod(4, 13, 497) == 445);
        verify("modular_power", Numbers.powMod(5, 0, 1) == 0);
        verify("modular_power", Numbers.powMod(-2, 3, 5) == 2);

        verify("prime_factors", Numbers.primeFactors(360).equals(Map.of(2, 3, 3, 2, 5, 1)));
        verify("prime_factors", Numbers.primeFactors(1).isEmpty());
        verify("prime_factors", Numbers.primeFactors(97).equals(Map.of(97, 1)));
        verify("prime_factors", Numbers.primeFactors(49).equals(Map.of(7, 2)));

        verify("digital_root", Numbers.digitalRoot(9875) == 2);
        verify("digital_root", Numbers.digitalRoot(0) == 0);
        verify("digital_root", Numbers.digitalRoot(-39) == 3);
    }
}
