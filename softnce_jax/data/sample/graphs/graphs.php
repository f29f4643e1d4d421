<?php

// task: topological_sort_kahn
function installOrder(array $requirements): array
{
    $missing = array_map('count', $requirements);
    $queue = array_keys($missing, 0, true);
    for ($i = 0; $i < count($queue); $i++) {
        foreach ($requirements as $package => $needed) {
            if (in_array($queue[$i], $needed, true) && --$missing[$package] === 0) {
                $queue[] = $package;
            }
        }
    }
    if (count($queue) !== count($requirements)) {
        throw new RuntimeException('Circular requirement');
    }
    return $queue;
}

// task: topological_sort_dfs
function topologicalSort(array $graph): array
{
    $sorted = [];
    $marks = [];
    $visit = function ($node) use (&$visit, &$sorted, &$marks, $graph) {
        if (($marks[$node] ?? null) === 'active') {
            throw new LogicException("Cycle at $node");
        }
        if (isset($marks[$node])) {
            return;
        }
        $marks[$node] = 'active';
        array_map($visit, $graph[$node] ?? []);
        $marks[$node] = 'finished';
        array_unshift($sorted, $node);
    };
    array_map($visit, array_keys($graph));
    return $sorted;
}

// task: dijkstra_distances
function shortestDistances(array $graph, string $source): array
{
    $distances = [$source => 0];
    $queue = new SplPriorityQueue();
    $queue->setExtractFlags(SplPriorityQueue::EXTR_BOTH);
    $queue->insert($source, 0);
    while (!$queue->isEmpty()) {
        ['data' => $current, 'priority' => $priority] = $queue->extract();
        if (-$priority > $distances[$current]) {
            continue;
        }
        foreach ($graph[$current] ?? [] as $next => $weight) {
            $candidate = $weight - $priority;
            if ($candidate < ($distances[$next] ?? INF)) {
                $distances[$next] = $candidate;
                $queue->insert($next, -$candidate);
            }
        }
    }
    return $distances;
}

// task: connected_components_count
function countComponents(int $size, array $edges): int
{
    $parent = range(0, $size - 1);
    $find = function (int $x) use (&$parent): int {
        while ($parent[$x] !== $x) {
            $x = $parent[$x] = $parent[$parent[$x]];
        }
        return $x;
    };
    foreach ($edges as [$a, $b]) {
        $rootA = $find($a);
        $rootB = $find($b);
        if ($rootA !== $rootB) {
            $parent[$rootB] = $rootA;
            $size--;
        }
    }
    return $size;
}

// task: graph_is_bipartite
function isBipartite(array $adjacency): bool
{
    $colors = [];
    foreach (array_keys($adjacency) as $start) {
        $colors[$start] ??= 'red';
        $stack = [$start];
        while ($stack) {
            $vertex = array_pop($stack);
            $opposite = $colors[$vertex] === 'red' ? 'blue' : 'red';
            foreach ($adjacency[$vertex] as $neighbor) {
                if (!isset($colors[$neighbor])) {
                    $colors[$neighbor] = $opposite;
                    $stack[] = $neighbor;
                } elseif ($colors[$neighbor] !== $opposite) {
                    return false;
                }
            }
        }
    }
    return true;
}

// task: graph_bridges
function findBridges(array $adjacency): array
{
    $bridges = $depth = [];
    $descend = function (int $node, int $level, ?int $from) use (&$descend, &$bridges, &$depth, $adjacency): int {
        $lowest = $depth[$node] = $level;
        foreach ($adjacency[$node] as $other) {
            if ($other === $from) {
                $from = null;
                continue;
            }
            $unseen = !isset($depth[$other]);
            $reach = $unseen ? $descend($other, $level + 1, $node) : $depth[$other];
            if ($unseen && $reach > $level) {
                $bridges[] = [$node, $other];
            }
            $lowest = min($lowest, $reach);
        }
        return $lowest;
    };
    foreach (array_keys($adjacency) as $root) {
        $depth[$root] ?? $descend($root, 0, null);
    }
    return $bridges;
}
// end
