import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Predicate;

class Check {
    static void expect(Object wanted, Object got, String task) {
        if (wanted == null ? got != null : !wanted.equals(got)) {
            throw new AssertionError(task + ": " + got);
        }
    }

    public static void main(String[] a) throws Exception {
        int[] calls = {0};
        Function<Integer, Integer> slow = Caching.memoize(n -> {
            calls[0]++;
            return n == 0 ? null : n * n;
        });
        expect(9, slow.apply(3) + slow.apply(3) - 9, "memoize");
        expect(null, slow.apply(0), "memoize");
        expect(null, slow.apply(0), "memoize");
        expect(2, calls[0], "memoize");

        ConcurrentHashMap<String, Integer> store = new ConcurrentHashMap<>(Map.of("a", 1));
        expect(1, Caching.getOrCompute(store, "a", () -> 9), "get_or_compute");
        expect(4, Caching.getOrCompute(store, "word", "word"::length), "get_or_compute");
        expect(4, store.get("word"), "get_or_compute");

        Map<String, Integer> lru = Caching.lruCache(2);
        lru.put("a", 1);
        lru.put("b", 2);
        lru.get("a");
        lru.put("c", 3);
        expect(List.of("a", "c"), List.copyOf(lru.keySet()), "lru_cache");
        expect(null, lru.get("b"), "lru_cache");

        long[] tick = {0};
        Callable<Integer> fresh = Caching.expiring(() -> ++calls[0], 10, () -> tick[0]);
        expect(3, fresh.call(), "ttl_cache");
        tick[0] = 9;
        expect(3, fresh.call(), "ttl_cache");
        tick[0] = 10;
        expect(4, fresh.call(), "ttl_cache");

        Predicate<String> allow = Caching.rateLimiter(2, 5, () -> tick[0]);
        expect(true, allow.test("x") && allow.test("x"), "rate_limiter");
        expect(false, allow.test("x"), "rate_limiter");
        expect(true, allow.test("y"), "rate_limiter");
        tick[0] = 14;
        expect(false, allow.test("x"), "rate_limiter");
        tick[0] = 15;
        expect(true, allow.test("x"), "rate_limiter");

        TreeMap<String, Integer> users = new TreeMap<>(Map.of("user:1", 1, "user:2", 2, "users", 3));
        expect(2, Caching.invalidatePrefix(users, "user:"), "invalidate_prefix");
        expect(Map.of("users", 3), users, "invalidate_prefix");
        expect(0, Caching.invalidatePrefix(new TreeMap<>(), "x"), "invalidate_prefix");
    }
}
