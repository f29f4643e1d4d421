function check(bool $ok, string $task): void
{
    if (!$ok) {
        throw new RuntimeException($task);
    }
}
function throws(callable $action): bool
{
    try {
        $action();
    } catch (Exception $e) {
        return true;
    }
    return false;
}
check(installOrder(['c' => ['b', 'a'], 'b' => ['a'], 'a' => []]) === ['a', 'b', 'c'], 'kahn');
check(installOrder([]) === [], 'kahn');
check(throws(fn () => installOrder(['a' => ['b'], 'b' => ['a']])), 'kahn');
check(topologicalSort(['a' => ['b', 'c'], 'b' => ['d'], 'c' => ['d']]) === ['a', 'c', 'b', 'd'], 'dfs');
check(topologicalSort([]) === [], 'dfs');
check(throws(fn () => topologicalSort(['a' => ['b'], 'b' => ['a']])), 'dfs');
$roads = ['a' => ['b' => 7, 'c' => 1], 'c' => ['b' => 2], 'b' => ['d' => 1], 'x' => ['a' => 1]];
check(shortestDistances($roads, 'a') == ['a' => 0, 'c' => 1, 'b' => 3, 'd' => 4], 'dijkstra');
check(shortestDistances($roads, 'd') === ['d' => 0], 'dijkstra');
check(countComponents(5, [[0, 1], [1, 2], [3, 4], [0, 2]]) === 2, 'components');
check(countComponents(3, []) === 3, 'components');
check(isBipartite([1 => [2, 4], 2 => [1, 3], 3 => [2, 4], 4 => [1, 3]]), 'bipartite');
check(!isBipartite([0 => [], 1 => [2, 3], 2 => [1, 3], 3 => [1, 2]]), 'bipartite');
check(isBipartite([]), 'bipartite');
check(findBridges([[1, 2], [0, 2], [0, 1, 3], [2]]) === [[2, 3]], 'bridges');
check(findBridges([[1, 1], [0, 0]]) === [], 'bridges');
check(findBridges([[1], [0, 2], [1]]) === [[1, 2], [0, 1]], 'bridges');
check(findBridges([[1], [0, 2, 3], [1, 3], [1, 2], []]) === [[0, 1]], 'bridges');
