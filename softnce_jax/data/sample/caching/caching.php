<?php

declare(strict_types=1);

// task: memoize
function memoize(callable $fn): Closure
{
    return static function (...$args) use ($fn) {
        static $results = [];
        $key = serialize($args);
        return $results[$key] ??= $fn(...$args);
    };
}

// task: get_or_compute
function remember(array &$cache, string $key, callable $compute): mixed
{
    if (array_key_exists($key, $cache)) {
        return $cache[$key];
    }
    $value = $compute($key);
    $cache[$key] = $value;
    return $value;
}

// task: lru_cache
function lruCache(int $capacity): array
{
    $entries = [];
    $put = function (string $key, $value) use (&$entries, $capacity): void {
        unset($entries[$key]);
        $entries[$key] = $value;
        if (count($entries) > $capacity) {
            unset($entries[array_key_first($entries)]);
        }
    };
    $get = function (string $key) use (&$entries, $put) {
        if (!isset($entries[$key])) {
            return null;
        }
        $put($key, $entries[$key]);
        return $entries[$key];
    };
    return [$get, $put];
}

// task: ttl_cache
function ttlCache(float $seconds, callable $clock): object
{
    return new class ($seconds, $clock) {
        private array $items = [];

        public function __construct(private float $seconds, private $clock)
        {
        }

        public function set(string $name, mixed $payload): void
        {
            $this->items[$name] = [$payload, ($this->clock)() + $this->seconds];
        }

        public function get(string $name): mixed
        {
            [$payload, $deadline] = $this->items[$name] ?? [null, INF];
            return ($this->clock)() < $deadline ? $payload : null;
        }
    };
}

// task: rate_limiter
function rateLimiter(int $burst, float $perSecond, callable $now): Closure
{
    $tokens = (float) $burst;
    $last = $now();
    return function () use (&$tokens, &$last, $burst, $perSecond, $now): bool {
        $current = $now();
        $tokens = min($burst, $tokens + ($current - $last) * $perSecond);
        $last = $current;
        if ($tokens < 1) {
            return false;
        }
        $tokens--;
        return true;
    };
}

// task: invalidate_prefix
function invalidatePrefix(array &$cache, string $prefix): int
{
    $kept = array_filter(
        $cache,
        fn ($key) => !str_starts_with((string) $key, $prefix),
        ARRAY_FILTER_USE_KEY
    );
    $removed = count($cache) - count($kept);
    $cache = $kept;
    return $removed;
}
// end
