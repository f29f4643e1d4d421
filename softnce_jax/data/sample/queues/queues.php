<?php

// task: balanced_brackets
function isBalanced(string $text): bool
{
    $partners = [')' => '(', ']' => '[', '}' => '{'];
    $stack = new SplStack();
    foreach (str_split($text) as $char) {
        if (in_array($char, $partners, true)) {
            $stack->push($char);
        } elseif (isset($partners[$char])) {
            if ($stack->isEmpty() || $stack->pop() !== $partners[$char]) {
                return false;
            }
        }
    }
    return $stack->isEmpty();
}

// task: bracket_pair_removal
function isProperlyNested(string $source): bool
{
    $rest = preg_replace('/[^()\[\]{}]/', '', $source);
    do {
        $rest = str_replace(['()', '[]', '{}'], '', $rest, $removed);
    } while ($removed > 0);
    return $rest === '';
}

// task: sliding_window_max
function windowMaxima(array $values, int $size): array
{
    $deque = new SplDoublyLinkedList();
    $maxima = [];
    foreach ($values as $i => $value) {
        while (!$deque->isEmpty() && $values[$deque->top()] <= $value) {
            $deque->pop();
        }
        $deque->push($i);
        if ($deque->bottom() <= $i - $size) {
            $deque->shift();
        }
        if ($i >= $size - 1) {
            $maxima[] = $values[$deque->bottom()];
        }
    }
    return $maxima;
}

// task: next_greater_element
function nextGreater(array $items): array
{
    $result = array_fill_keys(array_keys($items), null);
    $waiting = [];
    foreach ($items as $position => $item) {
        while ($waiting && $items[end($waiting)] < $item) {
            $result[array_pop($waiting)] = $item;
        }
        $waiting[] = $position;
    }
    return $result;
}

// task: round_robin_schedule
function roundRobin(array $jobs, int $quantum): array
{
    $queue = new SplQueue();
    foreach ($jobs as $name => $duration) {
        $queue->enqueue([$name, $duration]);
    }
    $clock = 0;
    $finished = [];
    while (count($queue) > 0) {
        [$name, $left] = $queue->dequeue();
        $clock += min($left, $quantum);
        if ($left > $quantum) {
            $queue->enqueue([$name, $left - $quantum]);
            continue;
        }
        $finished[$name] = $clock;
    }
    return $finished;
}

// task: priority_dispatch
function serveByPriority(array $tasks): Generator
{
    $queue = new SplPriorityQueue();
    $ticket = PHP_INT_MAX;
    foreach ($tasks as [$task, $priority]) {
        $queue->insert($task, [$priority, $ticket--]);
    }
    while ($queue->valid()) {
        yield $queue->extract();
    }
}

// end
