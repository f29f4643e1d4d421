def expect(wanted, got)
  raise "wanted #{wanted.inspect}, got #{got.inspect}" unless wanted == got
end

calls = []
slow = memoize(lambda { |a, b = 0|
  calls << [a, b]
  nil if a.zero?
})
slow.call(0)
slow.call(0)
slow.call(1, 2)
expect [[0, 0], [1, 2]], calls
expect nil, slow.call(0)
store = { "a" => 1 }
expect 1, fetch_or_store(store, "a", &:length)
expect 4, fetch_or_store(store, "word", &:length)
expect nil, fetch_or_store(store, "none") { nil }
expect({ "a" => 1, "word" => 4 }, store)
get, put = lru_cache(2)
put.call(:a, 1)
put.call(:b, 2)
expect 1, get.call(:a)
put.call(:c, 3)
expect [nil, 1, 3], [get.call(:b), get.call(:a), get.call(:c)]
tick = 0
cache = ttl_cache(10, clock: -> { tick })
cache["k"] = "v"
tick = 9
expect "v", cache["k"]
tick = 10
expect nil, cache["k"]
expect nil, cache["other"]
expect 0, cache.size
tick = 100
allow = rate_limiter(2, per: 5, now: -> { tick })
expect [true, true, false], [allow.call, allow.call, allow.call]
tick = 104
expect false, allow.call
tick = 105
expect true, allow.call
users = { "user:1" => 1, "user:2": 2, "users" => 3 }
expect 2, invalidate_prefix(users, "user:")
expect({ "users" => 3 }, users)
expect 0, invalidate_prefix({}, "x")
