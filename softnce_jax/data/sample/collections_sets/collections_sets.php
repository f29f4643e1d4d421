<?php

declare(strict_types=1);

// task: unique_in_order
function uniqueInOrder(array $items): array
{
    $kept = [];
    foreach ($items as $item) {
        if (!in_array($item, $kept, true)) {
            $kept[] = $item;
        }
    }
    return $kept;
}

// task: sorted_distinct
function sortedDistinct(array $values): array
{
    sort($values);
    for ($i = count($values) - 1; $i > 0; $i--) {
        if ($values[$i] === $values[$i - 1]) {
            array_splice($values, $i, 1);
        }
    }
    return $values;
}

// task: symmetric_difference
function symmetricDifference(array $left, array $right): array
{
    $onlyLeft = array_diff($left, $right);
    $onlyRight = array_diff($right, $left);
    return array_values(array_unique(array_merge($onlyLeft, $onlyRight)));
}

// task: power_set
function powerSet(array $elements): Generator
{
    if ($elements === []) {
        yield [];
        return;
    }
    $head = array_shift($elements);
    foreach (powerSet($elements) as $subset) {
        yield $subset;
        yield [$head, ...$subset];
    }
}

// task: intersect_all
function intersectAll(array ...$lists): array
{
    if (count($lists) === 0) {
        return [];
    }
    $shared = array_flip(array_shift($lists));
    foreach ($lists as $list) {
        $shared = array_intersect_key($shared, array_flip($list));
    }
    return array_keys($shared);
}

// task: multiset_contains
function multisetContains(array $bag, array $wanted): bool
{
    $stock = array_count_values($bag);
    foreach (array_count_values($wanted) as $thing => $needed) {
        if (($stock[$thing] ?? 0) < $needed) {
            return false;
        }
    }
    return true;
}
// end
