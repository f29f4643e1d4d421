calls = []


@memoize
def slow(a, b=0):
    calls.append((a, b))
    return a + b


assert slow(1) == 1 and slow(1) == 1 and slow(1, b=2) == 3
assert calls == [(1, 0), (1, 2)]
assert slow.__name__ == "slow"
store = {"a": 1}
assert get_or_compute(store, "a", len) == 1
assert get_or_compute(store, "word", len) == 4 and store["word"] == 4
assert get_or_compute(store, "none", lambda key: None) is None and "none" not in store
get, put = bounded_cache(2)
put("a", 1)
put("b", 2)
assert get("a") == 1
put("c", 3)
assert get("b") is None and get("a") == 1 and get("c") == 3
assert get("zzz", 7) == 7
tick = [0]
remember, recall = ttl_cache(10, clock=lambda: tick[0])
remember("k", "v")
assert recall("k") == "v"
tick[0] = 9
assert recall("k") == "v"
tick[0] = 10
assert recall("k") is None and recall("other") is None
tick[0] = 100
allow = rate_limiter(2, 5, now=lambda: tick[0])
assert [allow(), allow(), allow()] == [True, True, False]
tick[0] = 104
assert not allow()
tick[0] = 105
assert allow()
users = {"user:1": 1, "user:2": 2, "users": 3}
assert invalidate_prefix(users, "user:") == 2 and users == {"users": 3}
assert invalidate_prefix({}, "x") == 0
