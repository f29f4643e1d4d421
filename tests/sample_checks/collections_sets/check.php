function expect($wanted, $got, string $task): void
{
    if ($wanted !== $got) {
        throw new Exception($task . ': got ' . var_export($got, true));
    }
}

expect([3, 1, 2], uniqueInOrder([3, 1, 3, 2, 1]), 'unique_in_order');
expect([0, '0'], uniqueInOrder([0, '0', 0]), 'unique_in_order');
expect([1, 2, 3], sortedDistinct([3, 1, 3, 2, 1]), 'sorted_distinct');
expect([], sortedDistinct([]), 'sorted_distinct');
expect([1, 2, 4], symmetricDifference([1, 2, 3], [3, 4]), 'symmetric_difference');
expect([], symmetricDifference([1], [1]), 'symmetric_difference');
expect(
    [[], ['a'], ['b'], ['a', 'b']],
    iterator_to_array(powerSet(['a', 'b']), false),
    'power_set'
);
expect([[]], iterator_to_array(powerSet([]), false), 'power_set');
expect([2, 3], intersectAll([1, 2, 3], [2, 3, 4], [3, 2, 9]), 'intersect_all');
expect([], intersectAll([1], [2], [1]), 'intersect_all');
expect([], intersectAll(), 'intersect_all');
expect(true, multisetContains(str_split('banana'), ['n', 'a', 'b']), 'multiset_contains');
expect(false, multisetContains(str_split('banana'), ['b', 'n', 'n', 'n']), 'multiset_contains');
expect(true, multisetContains([], []), 'multiset_contains');
