from collections import Counter
from itertools import pairwise


# task: unique_in_order
def unique_in_order(items):
    seen = set()
    kept = []
    for item in items:
        if item not in seen:
            seen.add(item)
            kept.append(item)
    return kept


# task: sorted_distinct
def sorted_distinct(values):
    ordered = sorted(values)
    if not ordered:
        return []
    distinct = ordered[:1]
    for previous, current in pairwise(ordered):
        if previous != current:
            distinct.append(current)
    return distinct


# task: symmetric_difference
def symmetric_difference(left, right):
    left_set = set(left)
    right_set = set(right)
    only_left = [x for x in left if x not in right_set]
    only_right = [x for x in right if x not in left_set]
    return only_left + only_right


# task: power_set
def power_set(elements):
    pool = list(elements)
    subsets = []
    for mask in range(1 << len(pool)):
        chosen = {e for bit, e in enumerate(pool) if mask >> bit & 1}
        subsets.append(chosen)
    return subsets


# task: intersect_all
def intersect_all(*collections):
    if not collections:
        return set()
    smallest, *others = sorted(map(set, collections), key=len)
    for other in others:
        smallest &= other
        if not smallest:
            break
    return smallest


# task: multiset_contains
def multiset_contains(bag, wanted):
    available = Counter(bag)
    for thing in wanted:
        if available[thing] == 0:
            return False
        available[thing] -= 1
    return True


# end
