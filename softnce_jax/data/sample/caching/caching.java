import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;

class Caching {
    // task: memoize
    static <A, R> Function<A, R> memoize(Function<A, R> function) {
        Map<A, R> results = new HashMap<>();
        return argument -> {
            if (!results.containsKey(argument)) {
                results.put(argument, function.apply(argument));
            }
            return results.get(argument);
        };
    }

    // task: get_or_compute
    static <K, V> V getOrCompute(ConcurrentHashMap<K, V> cache, K key, Supplier<? extends V> loader) {
        V cached = cache.get(key);
        if (cached != null) {
            return cached;
        }
        V computed = loader.get();
        V earlier = cache.putIfAbsent(key, computed);
        return earlier == null ? computed : earlier;
    }

    // task: lru_cache
    static <K, V> Map<K, V> lruCache(int capacity) {
        if (capacity < 1) {
            throw new IllegalArgumentException("capacity must be positive");
        }
        return new LinkedHashMap<K, V>(16, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
                return size() > capacity;
            }
        };
    }

    // task: ttl_cache
    static <T> Callable<T> expiring(Callable<T> source, long ttlMillis, LongSupplier clock) {
        return new Callable<T>() {
            private T payload;
            private long deadline = Long.MIN_VALUE;

            @Override
            public synchronized T call() throws Exception {
                long now = clock.getAsLong();
                if (now >= deadline) {
                    payload = source.call();
                    deadline = now + ttlMillis;
                }
                return payload;
            }
        };
    }

    // task: rate_limiter
    static Predicate<String> rateLimiter(int limit, long windowMillis, LongSupplier time) {
        Map<String, Deque<Long>> history = new HashMap<>();
        return client -> {
            long current = time.getAsLong();
            Deque<Long> recent = history.computeIfAbsent(client, c -> new ArrayDeque<>());
            while (!recent.isEmpty() && current - recent.peekFirst() >= windowMillis) {
                recent.pollFirst();
            }
            return recent.size() < limit && recent.offerLast(current);
        };
    }

    // task: invalidate_prefix
    static int invalidatePrefix(NavigableMap<String, ?> cache, String prefix) {
        int before = cache.size();
        String upper = prefix + Character.MAX_VALUE;
        cache.subMap(prefix, true, upper, false).clear();
        return before - cache.size();
    }
    // end
}
