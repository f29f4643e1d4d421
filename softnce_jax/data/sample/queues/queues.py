import heapq
from collections import deque


# task: balanced_brackets
def is_balanced(text):
    closers = {")": "(", "]": "[", "}": "{"}
    stack = []
    for char in text:
        if char in closers.values():
            stack.append(char)
        elif char in closers and (not stack or stack.pop() != closers[char]):
            return False
    return not stack


# task: bracket_pair_removal
def properly_nested(source):
    remaining = "".join(filter("()[]{}".__contains__, source))
    previous = None
    while remaining != previous:
        previous = remaining
        for pair in ("()", "[]", "{}"):
            remaining = remaining.replace(pair, "")
    return remaining == ""


# task: sliding_window_max
def window_maxima(values, size):
    candidates = deque()
    maxima = []
    for i, value in enumerate(values):
        while candidates and values[candidates[-1]] <= value:
            candidates.pop()
        candidates.append(i)
        if candidates[0] <= i - size:
            candidates.popleft()
        if i >= size - 1:
            maxima.append(values[candidates[0]])
    return maxima


# task: next_greater_element
def next_greater(items):
    answer = [None] * len(items)
    waiting = []
    for position, item in enumerate(items):
        while waiting and items[waiting[-1]] < item:
            answer[waiting.pop()] = item
        waiting.append(position)
    return answer


# task: round_robin_schedule
def round_robin(jobs, quantum):
    ready = deque(jobs.items())
    clock = 0
    finished = {}
    while ready:
        name, needed = ready.popleft()
        ran = min(quantum, needed)
        clock += ran
        if needed > ran:
            ready.append((name, needed - ran))
        else:
            finished[name] = clock
    return finished


# task: priority_dispatch
def serve_by_priority(tasks):
    heap = []
    for ticket, (priority, task) in enumerate(tasks):
        heapq.heappush(heap, (-priority, ticket, task))
    served = []
    while heap:
        *_, task = heapq.heappop(heap)
        served.append(task)
    return served


# end
