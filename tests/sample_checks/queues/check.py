assert is_balanced("f(a[0], {b: (c)})")
assert is_balanced("")
assert not is_balanced("(]")
assert not is_balanced("())(")
assert not is_balanced("((")

assert properly_nested("f(a[0], {b: (c)})")
assert properly_nested("")
assert not properly_nested("([)]")
assert not properly_nested("}")

assert window_maxima([1, 3, -1, -3, 5, 3, 6, 7], 3) == [3, 3, 5, 5, 6, 7]
assert window_maxima([4, 2], 1) == [4, 2]
assert window_maxima([1], 2) == []

assert next_greater([2, 1, 2, 4, 3]) == [4, 2, 4, None, None]
assert next_greater([]) == []

assert round_robin({"a": 3, "b": 1, "c": 2}, 2) == {"b": 3, "c": 5, "a": 6}
assert round_robin({}, 2) == {}

assert serve_by_priority([(1, "low"), (9, "fire"), (5, "x"), (9, "flood")]) == [
    "fire",
    "flood",
    "x",
    "low",
]
assert serve_by_priority([]) == []
