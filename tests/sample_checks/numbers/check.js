const assert = require('node:assert');

assert.deepStrictEqual(gcd(48, 36), 12);
assert.deepStrictEqual(gcd(-17, 5), 1);
assert.deepStrictEqual(gcd(0, 9), 9);

assert.deepStrictEqual(highestCommonFactor(48, 36), 12);
assert.deepStrictEqual(highestCommonFactor(7, 7), 7);
assert.deepStrictEqual(highestCommonFactor(0, 9), 9);

assert.deepStrictEqual(primesUpTo(1), []);
assert.deepStrictEqual(primesUpTo(2), [2]);
assert.deepStrictEqual(primesUpTo(25), [2, 3, 5, 7, 11, 13, 17, 19, 23]);

assert.deepStrictEqual(modPow(4n, 13n, 497n), 445n);
assert.deepStrictEqual(modPow(5n, 0n, 1n), 0n);
assert.deepStrictEqual(modPow(3n, 200n, 1000000007n), 3n ** 200n % 1000000007n);

assert.deepStrictEqual(factorize(360), [2, 2, 2, 3, 3, 5]);
assert.deepStrictEqual(factorize(1), []);
assert.deepStrictEqual(factorize(97), [97]);

assert.deepStrictEqual(digitalRoot(9875), 2);
assert.deepStrictEqual(digitalRoot(0), 0);
assert.deepStrictEqual(digitalRoot(-39), 3);
