package main

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
)

func expect(task string, got, want interface{}) {
	if !reflect.DeepEqual(got, want) {
		panic(fmt.Sprintf("%s: got %v, want %v", task, got, want))
	}
}

func main() {
	calls := 0
	slow := Memoize(func(n int) int {
		calls++
		return n * n
	})
	expect("memoize", []int{slow(0), slow(0), slow(3), slow(3)}, []int{0, 0, 9, 9})
	expect("memoize", calls, 2)

	var store sync.Map
	store.Store("a", "one")
	load := func(key string) (string, error) {
		if key == "bad" {
			return "", errors.New("no such key")
		}
		return key + "!", nil
	}
	hit, _ := GetOrCompute(&store, "a", load)
	expect("get_or_compute", hit, "one")
	hit, _ = GetOrCompute(&store, "b", load)
	expect("get_or_compute", hit, "b!")
	_, err := GetOrCompute(&store, "bad", load)
	_, kept := store.Load("bad")
	expect("get_or_compute", err != nil && !kept, true)

	get, put := NewLRU(2)
	put("a", "1")
	put("b", "2")
	get("a")
	put("c", "3")
	put("c", "4")
	_, okB := get("b")
	a, okA := get("a")
	c, _ := get("c")
	expect("lru_cache", []interface{}{okB, a, okA, c}, []interface{}{false, "1", true, "4"})

	tick := time.Unix(0, 0)
	now := func() time.Time { return tick }
	fetches := 0
	recall := Expiring(10*time.Second, func(name string) int {
		fetches++
		return fetches
	}, now)
	expect("ttl_cache", recall("k"), 1)
	tick = time.Unix(9, 0)
	expect("ttl_cache", recall("k"), 1)
	tick = time.Unix(10, 0)
	expect("ttl_cache", recall("k"), 2)

	allow := RateLimiter(2, 5*time.Second, now)
	expect("rate_limiter", []bool{allow(), allow(), allow()}, []bool{true, true, false})
	tick = time.Unix(14, 0)
	expect("rate_limiter", allow(), false)
	tick = time.Unix(15, 0)
	expect("rate_limiter", allow(), true)

	users := map[string][]byte{"user:1": nil, "user:2": nil, "users": nil}
	expect("invalidate_prefix", InvalidatePrefix(users, "user:"), 2)
	expect("invalidate_prefix", users, map[string][]byte{"users": nil})
	expect("invalidate_prefix", InvalidatePrefix(nil, "x"), 0)
}
