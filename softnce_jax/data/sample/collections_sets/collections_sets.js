'use strict';

// task: unique_in_order
function uniqueBy(items, keyOf = (item) => item) {
  const seen = new Set();
  return items.filter((item) => {
    const key = keyOf(item);
    return !seen.has(key) && seen.add(key);
  });
}

// task: sorted_distinct
function sortedDistinct(values) {
  const ordered = [...values].sort((a, b) => (a < b ? -1 : Number(a > b)));
  let write = 0;
  for (let read = 0; read < ordered.length; read++) {
    if (read === 0 || ordered[read] !== ordered[write - 1]) {
      ordered[write++] = ordered[read];
    }
  }
  ordered.length = write;
  return ordered;
}

// task: symmetric_difference
function symmetricDifference(left, right) {
  const result = new Set(left);
  for (const element of new Set(right)) {
    if (result.has(element)) {
      result.delete(element);
    } else {
      result.add(element);
    }
  }
  return result;
}

// task: power_set
function powerSet(elements) {
  let subsets = [[]];
  for (const element of elements) {
    const extended = subsets.map((subset) => subset.concat([element]));
    subsets = subsets.concat(extended);
  }
  return subsets;
}

// task: intersect_all
function intersectAll(first, ...rest) {
  const others = rest.map((list) => new Set(list));
  const shared = new Set();
  for (const value of first ?? []) {
    if (others.every((other) => other.has(value))) shared.add(value);
  }
  return [...shared];
}

// task: multiset_contains
function multisetContains(bag, wanted) {
  const stock = bag.reduce(
    (counts, thing) => counts.set(thing, (counts.get(thing) || 0) + 1),
    new Map(),
  );
  return wanted.every((thing) => {
    const left = stock.get(thing) || 0;
    stock.set(thing, left - 1);
    return left > 0;
  });
}
// end
