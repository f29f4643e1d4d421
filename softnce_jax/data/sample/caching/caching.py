import time
from collections import OrderedDict, deque
from functools import wraps


# task: memoize
def memoize(func):
    results = {}

    @wraps(func)
    def wrapper(*args, **kwargs):
        key = (args, tuple(sorted(kwargs.items())))
        if key not in results:
            results[key] = func(*args, **kwargs)
        return results[key]

    return wrapper


# task: get_or_compute
def get_or_compute(cache, key, compute):
    try:
        return cache[key]
    except KeyError:
        value = compute(key)
        if value is not None:
            cache[key] = value
        return value


# task: lru_cache
def bounded_cache(capacity):
    entries = OrderedDict()

    def get(key, default=None):
        if key not in entries:
            return default
        entries.move_to_end(key)
        return entries[key]

    def put(key, value):
        entries[key] = value
        entries.move_to_end(key)
        while len(entries) > capacity:
            entries.popitem(last=False)

    return get, put


# task: ttl_cache
def ttl_cache(seconds, clock=time.monotonic):
    stored = {}

    def remember(name, payload):
        stored[name] = (clock() + seconds, payload)

    def recall(name):
        deadline, payload = stored.get(name, (0, None))
        if clock() >= deadline:
            stored.pop(name, None)
            return None
        return payload

    return remember, recall


# task: rate_limiter
def rate_limiter(max_calls, window, now=time.time):
    history = deque()

    def allow():
        current = now()
        while history and history[0] <= current - window:
            history.popleft()
        if len(history) >= max_calls:
            return False
        history.append(current)
        return True

    return allow


# task: invalidate_prefix
def invalidate_prefix(cache, prefix):
    stale = [key for key in cache if key.startswith(prefix)]
    for key in stale:
        del cache[key]
    removed = len(stale)
    return removed


# end
