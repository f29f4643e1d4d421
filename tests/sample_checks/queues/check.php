$equal = function ($want, $got): void {
    if ($want !== $got) {
        throw new Exception('want ' . var_export($want, true) . ', got ' . var_export($got, true));
    }
};

$equal(true, isBalanced('f(a[0], {b: (c)})'));
$equal(true, isBalanced(''));
$equal(false, isBalanced('(]'));
$equal(false, isBalanced('())('));
$equal(false, isBalanced('(('));

$equal(true, isProperlyNested('f(a[0], {b: (c)})'));
$equal(true, isProperlyNested(''));
$equal(false, isProperlyNested('([)]'));
$equal(false, isProperlyNested('}'));

$equal([3, 3, 5, 5, 6, 7], windowMaxima([1, 3, -1, -3, 5, 3, 6, 7], 3));
$equal([4, 2], windowMaxima([4, 2], 1));
$equal([], windowMaxima([1], 2));

$equal([4, 2, 4, null, null], nextGreater([2, 1, 2, 4, 3]));
$equal([], nextGreater([]));

$equal(['b' => 3, 'c' => 5, 'a' => 6], roundRobin(['a' => 3, 'b' => 1, 'c' => 2], 2));
$equal([], roundRobin([], 2));

$equal(
    ['fire', 'flood', 'x', 'low'],
    iterator_to_array(serveByPriority([['low', 1], ['fire', 9], ['x', 5], ['flood', 9]]), false)
);
$equal([], iterator_to_array(serveByPriority([])));
