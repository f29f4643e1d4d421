import heapq
from bisect import bisect_left


# task: binary_search
def binary_search(items, target):
    low, high = 0, len(items) - 1
    while low <= high:
        mid = (low + high) // 2
        if items[mid] == target:
            return mid
        if items[mid] < target:
            low = mid + 1
        else:
            high = mid - 1
    return -1


# task: first_occurrence_in_sorted
def first_index(ordered, number):
    position = bisect_left(ordered, number)
    found = position < len(ordered) and ordered[position] == number
    if not found:
        return -1
    return position


# task: kth_largest
def kth_largest(values, k):
    if not 1 <= k <= len(values):
        raise ValueError(f"k must be between 1 and {len(values)}")
    heap = values[:k]
    heapq.heapify(heap)
    for value in values[k:]:
        heapq.heappushpop(heap, value)
    return heap[0]


# task: pair_with_sum
def two_sum(numbers, target):
    seen = {}
    for index, number in enumerate(numbers):
        complement = target - number
        if complement in seen:
            return seen[complement], index
        seen[number] = index
    return None


# task: closest_value
def nearest(values, wanted):
    best = None
    for value in values:
        distance = abs(value - wanted)
        if best is None or distance < best[0]:
            best = distance, value
    return best and best[1]


# task: search_sorted_matrix
def find_in_matrix(matrix, target):
    row, column = 0, len(matrix[0]) - 1 if matrix else -1
    while row < len(matrix) and column >= 0:
        cell = matrix[row][column]
        if cell == target:
            return row, column
        if cell > target:
            column -= 1
        else:
            row += 1
    return None


# end
