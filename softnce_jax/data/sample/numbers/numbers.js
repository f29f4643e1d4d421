// task: gcd_euclid
function gcd(a, b) {
  if (b === 0) {
    return Math.abs(a);
  }
  const remainder = a % b;
  return gcd(b, remainder);
}

// task: gcd_subtraction
function highestCommonFactor(first, second) {
  if (first === 0 || second === 0) {
    return first + second;
  }
  while (first !== second) {
    if (first > second) {
      first -= second;
    } else {
      second -= first;
    }
  }
  return first;
}

// task: prime_sieve
function primesUpTo(limit) {
  const composite = new Uint8Array(limit + 1);
  const primes = [];
  for (let n = 2; n <= limit; n++) {
    if (composite[n]) continue;
    primes.push(n);
    for (let multiple = n * n; multiple <= limit; multiple += n) {
      composite[multiple] = 1;
    }
  }
  return primes;
}

// task: modular_power
function modPow(base, exponent, modulus) {
  let result = 1n % modulus;
  let square = base % modulus;
  for (let bits = exponent; bits > 0n; bits >>= 1n) {
    if (bits & 1n) {
      result = (result * square) % modulus;
    }
    square = (square * square) % modulus;
  }
  return result;
}

// task: prime_factors
function factorize(number) {
  const factors = [];
  let divisor = 2;
  while (number > 1) {
    if (divisor * divisor > number) {
      divisor = number;
    }
    while (number % divisor === 0) {
      factors.push(divisor);
      number /= divisor;
    }
    divisor++;
  }
  return factors;
}

// task: digital_root
function digitalRoot(value) {
  const digits = Array.from(String(Math.abs(value)), Number);
  if (digits.length === 1) {
    return digits[0];
  }
  const sum = digits.reduce((total, digit) => total + digit);
  return digitalRoot(sum);
}

// end
