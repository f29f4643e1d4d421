function expect($wanted, $got, string $task): void
{
    if ($wanted !== $got) {
        throw new Exception($task . ': got ' . var_export($got, true));
    }
}

$calls = 0;
$slow = memoize(function (int $n, int $m = 0) use (&$calls) {
    $calls++;
    return $n + $m;
});
$other = memoize(fn (int $n) => -$n);
expect([1, 1, 3, -1], [$slow(1), $slow(1), $slow(1, 2), $other(1)], 'memoize');
expect(2, $calls, 'memoize');

$store = ['a' => null];
expect(null, remember($store, 'a', 'strlen'), 'get_or_compute');
expect(4, remember($store, 'word', 'strlen'), 'get_or_compute');
expect(['a' => null, 'word' => 4], $store, 'get_or_compute');

[$get, $put] = lruCache(2);
$put('a', 1);
$put('b', 2);
expect(1, $get('a'), 'lru_cache');
$put('c', 3);
expect([null, 1, 3], [$get('b'), $get('a'), $get('c')], 'lru_cache');

$tick = 0;
$clock = function () use (&$tick) {
    return $tick;
};
$cache = ttlCache(10, $clock);
$cache->set('k', 'v');
$tick = 9;
expect('v', $cache->get('k'), 'ttl_cache');
$tick = 10;
expect(null, $cache->get('k'), 'ttl_cache');
expect(null, $cache->get('other'), 'ttl_cache');

$allow = rateLimiter(2, 0.5, $clock);
expect([true, true, false], [$allow(), $allow(), $allow()], 'rate_limiter');
$tick = 11;
expect(false, $allow(), 'rate_limiter');
$tick = 12;
expect([true, false], [$allow(), $allow()], 'rate_limiter');

$users = ['user:1' => 1, 'user:2' => 2, 'users' => 3];
expect(2, invalidatePrefix($users, 'user:'), 'invalidate_prefix');
expect(['users' => 3], $users, 'invalidate_prefix');
$none = [];
expect(0, invalidatePrefix($none, 'x'), 'invalidate_prefix');
