package main

import (
	"container/list"
	"strings"
	"sync"
	"time"
)

// task: memoize
func Memoize[K comparable, V any](fn func(K) V) func(K) V {
	results := make(map[K]V)
	return func(arg K) V {
		if done, ok := results[arg]; ok {
			return done
		}
		results[arg] = fn(arg)
		return results[arg]
	}
}

// task: get_or_compute
func GetOrCompute(cache *sync.Map, key string, load func(string) (string, error)) (string, error) {
	if hit, found := cache.Load(key); found {
		return hit.(string), nil
	}
	value, err := load(key)
	if err != nil {
		return "", err
	}
	actual, _ := cache.LoadOrStore(key, value)
	return actual.(string), nil
}

// task: lru_cache
func NewLRU(capacity int) (get func(string) (string, bool), put func(string, string)) {
	order := list.New()
	nodes := make(map[string]*list.Element)
	values := make(map[string]string)
	get = func(key string) (value string, ok bool) {
		if value, ok = values[key]; ok {
			order.MoveToFront(nodes[key])
		}
		return
	}
	put = func(key, value string) {
		values[key] = value
		if node, ok := nodes[key]; ok {
			order.MoveToFront(node)
			return
		}
		nodes[key] = order.PushFront(key)
		if order.Len() > capacity {
			oldest := order.Remove(order.Back()).(string)
			delete(nodes, oldest)
			delete(values, oldest)
		}
	}
	return get, put
}

// task: ttl_cache
func Expiring(ttl time.Duration, fetch func(string) int, now func() time.Time) func(string) int {
	type entry struct {
		payload  int
		deadline time.Time
	}
	var mu sync.Mutex
	entries := map[string]entry{}
	return func(name string) int {
		mu.Lock()
		defer mu.Unlock()
		e, known := entries[name]
		if !known || !now().Before(e.deadline) {
			e = entry{fetch(name), now().Add(ttl)}
			entries[name] = e
		}
		return e.payload
	}
}

// task: rate_limiter
func RateLimiter(limit int, window time.Duration, clock func() time.Time) func() bool {
	recent := make([]time.Time, 0, limit)
	return func() bool {
		current := clock()
		cutoff := current.Add(-window)
		for len(recent) > 0 && !recent[0].After(cutoff) {
			recent = recent[1:]
		}
		if len(recent) >= limit {
			return false
		}
		recent = append(recent, current)
		return true
	}
}

// task: invalidate_prefix
func InvalidatePrefix(cache map[string][]byte, prefix string) (removed int) {
	for key := range cache {
		if strings.HasPrefix(key, prefix) {
			delete(cache, key)
			removed++
		}
	}
	return removed
}

// end
