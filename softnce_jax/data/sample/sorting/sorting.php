<?php

// task: bubble_sort
function bubbleSort(array $items): array
{
    $last = count($items) - 1;
    do {
        $swapped = false;
        for ($i = 0; $i < $last; $i++) {
            if ($items[$i] > $items[$i + 1]) {
                [$items[$i], $items[$i + 1]] = [$items[$i + 1], $items[$i]];
                $swapped = true;
            }
        }
    } while ($swapped);

    return $items;
}

// task: selection_sort
function selectionSort(array $remaining): array
{
    $sorted = [];
    while ($remaining !== []) {
        $position = array_search(min($remaining), $remaining, true);
        $sorted[] = $remaining[$position];
        unset($remaining[$position]);
    }

    return $sorted;
}

// task: merge_sorted_lists
function mergeSorted(array $left, array $right): array
{
    $merged = [];
    while ($left && $right) {
        if ($left[0] <= $right[0]) {
            $merged[] = array_shift($left);
        } else {
            $merged[] = array_shift($right);
        }
    }

    return array_merge($merged, $left, $right);
}

// task: sort_people_by_age_then_name
function sortByAgeThenName(array $people): array
{
    usort($people, function (array $a, array $b): int {
        return $b['age'] <=> $a['age'] ?: strcasecmp($a['name'], $b['name']);
    });

    return $people;
}

// task: counting_sort
function countingSort(array $numbers): array
{
    if (count($numbers) === 0) {
        return [];
    }
    $counts = array_fill(0, max($numbers) + 1, 0);
    foreach ($numbers as $number) {
        $counts[$number]++;
    }
    $output = [];
    foreach ($counts as $number => $times) {
        array_push($output, ...array_fill(0, $times, $number));
    }

    return $output;
}

// task: natural_sort
function naturalSort(array $names, bool $descending = false): array
{
    $sorted = $names;
    sort($sorted, SORT_NATURAL | SORT_FLAG_CASE);
    if ($descending) {
        return array_reverse($sorted);
    }

    return $sorted;
}
// end
