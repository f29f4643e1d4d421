$equal = function ($want, $got): void {
    if ($want !== $got) {
        throw new Exception('want ' . var_export($want, true) . ', got ' . var_export($got, true));
    }
};

$equal(12, gcd(48, 36));
$equal(1, gcd(-17, 5));
$equal(9, gcd(0, 9));

$equal(12, highestCommonFactor(48, 36));
$equal(7, highestCommonFactor(7, 7));
$equal(9, highestCommonFactor(0, 9));

$equal([], primesUpTo(1));
$equal([2], primesUpTo(2));
$equal([2, 3], primesUpTo(4));
$equal([2, 3, 5, 7, 11, 13, 17, 19, 23], primesUpTo(25));

$equal(445, powMod(4, 13, 497));
$equal(0, powMod(5, 0, 1));
$equal(1, powMod(5, 0, 7));

$equal([2, 2, 2, 3, 3, 5], primeFactors(360));
$equal([], primeFactors(1));
$equal([97], primeFactors(97));

$equal(2, digitalRoot(9875));
$equal(0, digitalRoot(0));
$equal(3, digitalRoot(-39));
