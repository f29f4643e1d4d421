# task: memoize
def memoize(callable)
  results = {}
  lambda do |*args|
    results.fetch(args) do
      results[args] = callable.call(*args)
    end
  end
end

# task: get_or_compute
def fetch_or_store(cache, key)
  return cache[key] if cache.key?(key)

  value = yield key
  cache[key] = value unless value.nil?
  value
end

# task: lru_cache
def lru_cache(capacity)
  entries = {}
  get = lambda do |key|
    return nil unless entries.key?(key)

    entries[key] = entries.delete(key)
  end
  put = lambda do |key, value|
    entries.delete(key)
    entries[key] = value
    entries.shift if entries.size > capacity
    value
  end
  [get, put]
end

# task: ttl_cache
def ttl_cache(ttl, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
  expiries = {}
  Hash.new.tap do |store|
    store.define_singleton_method(:[]=) do |name, payload|
      expiries[name] = clock.call + ttl
      super(name, payload)
    end
    store.define_singleton_method(:[]) do |name|
      delete(name) if expiries.fetch(name, 0) <= clock.call
      super(name)
    end
  end
end

# task: rate_limiter
def rate_limiter(limit, per:, now: Time.method(:now))
  window_start = nil
  used = 0
  lambda do
    current = now.call.to_f
    if window_start.nil? || current - window_start >= per
      window_start = current
      used = 0
    end
    used += 1
    used <= limit
  end
end

# task: invalidate_prefix
def invalidate_prefix(cache, prefix)
  before = cache.size
  cache.delete_if do |key, _|
    key.to_s.start_with?(prefix)
  end
  before - cache.size
end
# end
