<?php

// task: binary_search
function binarySearch(array $haystack, int $needle): int
{
    $low = 0;
    $high = count($haystack) - 1;
    while ($low <= $high) {
        $mid = intdiv($low + $high, 2);
        if ($haystack[$mid] === $needle) {
            return $mid;
        }
        if ($haystack[$mid] > $needle) {
            $high = $mid - 1;
        } else {
            $low = $mid + 1;
        }
    }

    return -1;
}

// task: first_occurrence_in_sorted
function firstOccurrence(array $sorted, int $number): ?int
{
    $found = null;
    [$left, $right] = [0, count($sorted)];
    while ($left < $right) {
        $middle = $left + ($right - $left >> 1);
        if ($sorted[$middle] < $number) {
            $left = $middle + 1;
            continue;
        }
        $found = $sorted[$middle] === $number ? $middle : $found;
        $right = $middle;
    }

    return $found;
}

// task: kth_largest
function kthLargest(array $values, int $k): int
{
    if ($k < 1 || $k > count($values)) {
        throw new OutOfRangeException("No element of rank $k");
    }
    $heap = new SplMaxHeap();
    foreach ($values as $value) {
        $heap->insert($value);
    }
    while (--$k > 0) {
        $heap->extract();
    }

    return $heap->top();
}

// task: pair_with_sum
function twoSum(array $numbers, int $target): ?array
{
    $seen = [];
    foreach ($numbers as $index => $number) {
        $other = $seen[$target - $number] ?? null;
        if ($other !== null) {
            return [$other, $index];
        }
        $seen[$number] = $index;
    }

    return null;
}

// task: closest_value
function closest(array $candidates, float $goal): ?float
{
    $best = null;
    foreach ($candidates as $candidate) {
        if ($best === null || abs($candidate - $goal) < abs($best - $goal)) {
            $best = $candidate;
        }
    }

    return $best;
}

// task: search_sorted_matrix
function searchMatrix(array $matrix, int $target): ?array
{
    $row = 0;
    $col = count($matrix[0] ?? []) - 1;
    while ($col >= 0 && isset($matrix[$row])) {
        switch ($matrix[$row][$col] <=> $target) {
            case 0:
                return compact('row', 'col');
            case 1:
                $col--;
                break;
            default:
                $row++;
        }
    }

    return null;
}
// end
