assert bubble_sort([3, 1, 2]) == [1, 2, 3]
assert bubble_sort([5, -1, 5, 0, 4, 4]) == [-1, 0, 4, 4, 5, 5]
assert bubble_sort([]) == []
assert selection_sort([3, 1, 2, 1]) == [1, 1, 2, 3]
assert selection_sort([]) == []
assert merge_sorted([1, 4, 9], [2, 3, 10, 11]) == [1, 2, 3, 4, 9, 10, 11]
assert merge_sorted([], [7]) == [7]
assert merge_sorted([], []) == []
people = [
    {"name": "bob", "age": 30},
    {"name": "Eve", "age": 41},
    {"name": "Ann", "age": 30},
]
assert [p["name"] for p in oldest_first(people)] == ["Eve", "Ann", "bob"]
assert oldest_first([]) == []
assert counting_sort([4, 0, 2, 4, 1]) == [0, 1, 2, 4, 4]
assert counting_sort([]) == []
assert natural_sort(["img10", "img2", "Img1"]) == ["Img1", "img2", "img10"]
assert natural_sort(["a1b10", "a1b9", "a"]) == ["a", "a1b9", "a1b10"]
assert natural_sort([]) == []
