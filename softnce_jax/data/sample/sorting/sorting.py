import re


# task: bubble_sort
def bubble_sort(values):
    items = list(values)
    end = len(items) - 1
    swapped = True
    while swapped:
        swapped = False
        for i in range(end):
            if items[i] > items[i + 1]:
                items[i], items[i + 1] = items[i + 1], items[i]
                swapped = True
        end -= 1
    return items


# task: selection_sort
def selection_sort(numbers):
    remaining = numbers.copy()
    ordered = []
    while remaining:
        smallest = min(remaining)
        remaining.remove(smallest)
        ordered.append(smallest)
    return ordered


# task: merge_sorted_lists
def merge_sorted(left, right):
    merged = []
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    merged.extend(left[i:])
    merged.extend(right[j:])
    return merged


# task: sort_people_by_age_then_name
def oldest_first(people):
    def key(person):
        name = person["name"].casefold()
        return -person["age"], name

    return sorted(people, key=key)


# task: counting_sort
def counting_sort(values):
    if not values:
        return []
    tally = [0] * (max(values) + 1)
    for v in values:
        tally[v] += 1
    result = []
    for number, times in enumerate(tally):
        result += [number] * times
    return result


# task: natural_sort
def natural_sort(names):
    def chunks(name):
        parts = re.split(r"(\d+)", name.lower())
        return [int(part) if part.isdigit() else part for part in parts]

    return sorted(names, key=chunks)


# end
