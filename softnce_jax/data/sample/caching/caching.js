'use strict';

// task: memoize
function memoize(fn, keyOf = JSON.stringify) {
  const results = new Map();
  return function memoized(...args) {
    const key = keyOf(args);
    if (!results.has(key)) {
      results.set(key, fn.apply(this, args));
    }
    return results.get(key);
  };
}

// task: get_or_compute
async function getOrCompute(cache, key, load) {
  const hit = cache.get(key);
  if (hit !== undefined) return hit;
  const pending = Promise.resolve(key).then(load);
  cache.set(key, pending);
  try {
    return await pending;
  } catch (error) {
    cache.delete(key);
    throw error;
  }
}

// task: lru_cache
function createLru(capacity) {
  const entries = new Map();
  const touch = (key, value) => {
    entries.delete(key);
    entries.set(key, value);
  };
  return {
    get(key) {
      if (entries.has(key)) touch(key, entries.get(key));
      return entries.get(key);
    },
    put(key, value) {
      touch(key, value);
      if (entries.size > capacity) {
        const [oldest] = entries.keys();
        entries.delete(oldest);
      }
    },
  };
}

// task: ttl_cache
function ttlCache(ttlMs, clock = Date.now) {
  const records = Object.create(null);
  return {
    store(name, payload, lifetime = ttlMs) {
      records[name] = { payload, expiresAt: clock() + lifetime };
    },
    read(name) {
      const record = records[name];
      if (!record) return undefined;
      if (record.expiresAt > clock()) return record.payload;
      delete records[name];
      return undefined;
    },
  };
}

// task: rate_limiter
function rateLimiter(limit, windowMs, now = Date.now) {
  const calls = new Map();
  return (client) => {
    const current = now();
    const recent = (calls.get(client) ?? []).filter((time) => current - time < windowMs);
    const allowed = recent.length < limit;
    if (allowed) recent.push(current);
    calls.set(client, recent);
    return allowed;
  };
}

// task: invalidate_prefix
function invalidatePrefix(cache, prefix) {
  let removed = 0;
  for (const key of cache.keys()) {
    if (String(key).startsWith(prefix) && cache.delete(key)) {
      removed += 1;
    }
  }
  return removed;
}
// end
