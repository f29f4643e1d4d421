$same = function (string $task, $got, $want): void {
    if ($got !== $want) {
        throw new Exception($task . ': ' . json_encode($got));
    }
};
$same('binary', binarySearch([1, 3, 5, 7, 9], 9), 4);
$same('binary absent', binarySearch([1, 3, 5], 4), -1);
$same('binary empty', binarySearch([], 4), -1);
$same('first', firstOccurrence([1, 2, 2, 2, 3], 2), 1);
$same('first absent', firstOccurrence([1, 2], 9), null);
$same('first empty', firstOccurrence([], 9), null);
$same('kth', kthLargest([3, 9, 1, 9, 5], 3), 5);
$same('kth single', kthLargest([4], 1), 4);
try {
    kthLargest([4], 2);
    $same('kth range', 'nothing thrown', 'exception');
} catch (OutOfRangeException $e) {
}
$same('pair', twoSum([2, 7, 11, 15], 18), [1, 2]);
$same('pair first', twoSum([4, 4], 8), [0, 1]);
$same('pair none', twoSum([4], 8), null);
$same('closest', closest([1, 8, 12], 9), 8.0);
$same('closest empty', closest([], 9), null);
$grid = [[1, 4, 7], [2, 5, 8], [3, 6, 9]];
$same('matrix', searchMatrix($grid, 6), ['row' => 2, 'col' => 1]);
$same('matrix absent', searchMatrix($grid, 10), null);
$same('matrix empty', searchMatrix([], 1), null);
