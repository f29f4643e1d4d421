const assert = require('node:assert');

assert.deepStrictEqual(isBalanced('f(a[0], {b: (c)})'), true);
assert.deepStrictEqual(isBalanced(''), true);
assert.deepStrictEqual(isBalanced('(]'), false);
assert.deepStrictEqual(isBalanced('())('), false);
assert.deepStrictEqual(isBalanced('(('), false);

assert.deepStrictEqual(isProperlyNested('f(a[0], {b: (c)})'), true);
assert.deepStrictEqual(isProperlyNested(''), true);
assert.deepStrictEqual(isProperlyNested('([)]'), false);
assert.deepStrictEqual(isProperlyNested('}'), false);

assert.deepStrictEqual(slidingMax([1, 3, -1, -3, 5, 3, 6, 7], 3), [3, 3, 5, 5, 6, 7]);
assert.deepStrictEqual(slidingMax([4, 2], 1), [4, 2]);
assert.deepStrictEqual(slidingMax([1], 2), []);

assert.deepStrictEqual(nextGreater([2, 1, 2, 4, 3]), [4, 2, 4, null, null]);
assert.deepStrictEqual(nextGreater([]), []);

assert.deepStrictEqual(
  roundRobin([{ name: 'a', remaining: 3 }, { name: 'b', remaining: 1 }, { name: 'c', remaining: 2 }], 2),
  [{ name: 'b', at: 3 }, { name: 'c', at: 5 }, { name: 'a', at: 6 }]
);
assert.deepStrictEqual(roundRobin([], 2), []);

const urgent = [
  { name: 'low', priority: 1 },
  { name: 'fire', priority: 9 },
  { name: 'x', priority: 5 },
  { name: 'flood', priority: 9 },
];
assert.deepStrictEqual(serveByPriority(urgent), ['fire', 'flood', 'x', 'low']);
assert.deepStrictEqual(serveByPriority([]), []);
