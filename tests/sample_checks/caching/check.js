const assert = require('node:assert');
const calls = [];
const slow = memoize((a, b = 0) => {
  calls.push([a, b]);
  return a ? a + b : undefined;
});
assert.deepStrictEqual([slow(1), slow(1), slow(1, 2)], [1, 1, 3]);
assert.deepStrictEqual([slow(0), slow(0)], [undefined, undefined]);
assert.deepStrictEqual(calls, [[1, 0], [1, 2], [0, 0]]);

(async () => {
  const store = new Map([['a', 1]]);
  assert.deepStrictEqual(await getOrCompute(store, 'a', () => 9), 1);
  let loads = 0;
  const load = async (key) => {
    loads += 1;
    return key.length;
  };
  const both = await Promise.all([getOrCompute(store, 'word', load), getOrCompute(store, 'word', load)]);
  assert.deepStrictEqual([both, loads], [[4, 4], 1]);
  await assert.rejects(getOrCompute(store, 'bad', () => Promise.reject(new Error('no'))));
  assert.deepStrictEqual(store.has('bad'), false);
})();

const lru = createLru(2);
lru.put('a', 1);
lru.put('b', 2);
assert.deepStrictEqual(lru.get('a'), 1);
lru.put('c', 3);
assert.deepStrictEqual([lru.get('b'), lru.get('a'), lru.get('c')], [undefined, 1, 3]);
let tick = 0;
const cache = ttlCache(10, () => tick);
cache.store('k', 'v');
cache.store('short', 'v', 3);
tick = 9;
assert.deepStrictEqual([cache.read('k'), cache.read('short')], ['v', undefined]);
tick = 10;
assert.deepStrictEqual([cache.read('k'), cache.read('toString')], [undefined, undefined]);
tick = 100;
const allow = rateLimiter(2, 5, () => tick);
assert.deepStrictEqual([allow('x'), allow('x'), allow('x'), allow('y')], [true, true, false, true]);
tick = 104;
assert.deepStrictEqual(allow('x'), false);
tick = 105;
assert.deepStrictEqual(allow('x'), true);
const users = new Map([['user:1', 1], ['user:2', 2], ['users', 3]]);
assert.deepStrictEqual(invalidatePrefix(users, 'user:'), 2);
assert.deepStrictEqual([...users.keys()], ['users']);
assert.deepStrictEqual(invalidatePrefix(new Map(), 'x'), 0);
