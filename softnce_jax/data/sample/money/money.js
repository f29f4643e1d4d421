'use strict';

// task: compound_interest
function compoundInterest(principal, annualRate, years, timesPerYear = 12) {
  if (principal < 0) {
    throw new RangeError('principal must not be negative');
  }
  const periods = timesPerYear * years;
  const amount = principal * Math.pow(1 + annualRate / timesPerYear, periods);
  return Number((amount - principal).toFixed(2));
}

// task: savings_balance
function savingsAfter(years, deposit, percent) {
  let cents = Math.round(deposit * 100);
  while (years-- > 0) {
    cents += Math.round(cents * percent / 100);
  }
  return cents / 100;
}

// task: make_change
function makeChange(amount, denominations = [200, 100, 50, 20, 10, 5, 2, 1]) {
  const change = new Map();
  for (const coin of [...denominations].sort((a, b) => b - a)) {
    const count = Math.floor(amount / coin);
    if (count > 0) {
      change.set(coin, count);
      amount %= coin;
    }
  }
  if (amount !== 0) throw new Error(`no coin for the last ${amount}`);
  return change;
}

// task: split_bill
function splitBill(totalCents, people, tipPercent = 0) {
  if (!Number.isInteger(people) || people < 1) {
    throw new TypeError('people must be a positive integer');
  }
  const withTip = totalCents + Math.floor((totalCents * tipPercent) / 100);
  const base = Math.floor(withTip / people);
  const spare = withTip - base * people;
  return Array.from({ length: people }, (_, i) => base + (i < spare ? 1 : 0));
}

// task: format_money
function formatMoney(cents, symbol = '$') {
  const [whole, fraction] = (Math.abs(cents) / 100).toFixed(2).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  const minus = cents < 0 ? '-' : '';
  return `${minus}${symbol}${grouped}.${fraction}`;
}

// task: income_tax
function incomeTax(income, brackets) {
  let previous = 0;
  let owed = 0;
  for (const { upTo = Infinity, rate } of brackets) {
    if (income <= previous) break;
    owed += (Math.min(income, upTo) - previous) * rate;
    previous = upTo;
  }
  return Math.round(owed * 100) / 100;
}
// end
