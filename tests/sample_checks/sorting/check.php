$same = function (string $task, $got, $want): void {
    if ($got !== $want) {
        throw new Exception($task . ': ' . json_encode($got));
    }
};
$same('bubble', bubbleSort([3, 1, 2, 2]), [1, 2, 2, 3]);
$same('bubble empty', bubbleSort([]), []);
$same('selection', selectionSort([3, 1, 2, 1]), [1, 1, 2, 3]);
$same('selection empty', selectionSort([]), []);
$same('merge', mergeSorted([1, 4, 9], [2, 3, 10]), [1, 2, 3, 4, 9, 10]);
$same('merge empty', mergeSorted([], [7]), [7]);
$people = [
    ['name' => 'bob', 'age' => 30],
    ['name' => 'Eve', 'age' => 41],
    ['name' => 'Ann', 'age' => 30],
];
$same('people', array_column(sortByAgeThenName($people), 'name'), ['Eve', 'Ann', 'bob']);
$same('people empty', sortByAgeThenName([]), []);
$same('counting', countingSort([4, 0, 2, 4, 1]), [0, 1, 2, 4, 4]);
$same('counting empty', countingSort([]), []);
$same('natural', naturalSort(['img10', 'img2', 'Img1']), ['Img1', 'img2', 'img10']);
$same('natural reversed', naturalSort(['a9', 'a10', 'a'], true), ['a10', 'a9', 'a']);
$same('natural empty', naturalSort([]), []);
