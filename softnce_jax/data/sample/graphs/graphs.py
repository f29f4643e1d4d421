import heapq
from collections import Counter, deque


# task: topological_sort_kahn
def resolve_order(requirements):
    waiting = {task: set(needs) for task, needs in requirements.items()}
    order = []
    while waiting:
        ready = sorted(task for task, needs in waiting.items() if not needs)
        if not ready:
            raise ValueError("circular dependency")
        for task in ready:
            del waiting[task]
        for needs in waiting.values():
            needs.difference_update(ready)
        order.extend(ready)
    return order


# task: topological_sort_dfs
def topological_order(graph):
    state, postorder = {}, []

    def visit(node):
        if state.get(node) == "open":
            raise ValueError(f"cycle through {node!r}")
        if node not in state:
            state[node] = "open"
            for successor in graph.get(node, ()):
                visit(successor)
            state[node] = "done"
            postorder.append(node)

    for start in graph:
        visit(start)
    return postorder[::-1]


# task: dijkstra_distances
def dijkstra(graph, source):
    dist = {}
    heap = [(0, source)]
    while heap:
        cost, u = heapq.heappop(heap)
        if u in dist:
            continue
        dist[u] = cost
        for v, weight in graph.get(u, {}).items():
            if v not in dist:
                heapq.heappush(heap, (cost + weight, v))
    return dist


# task: connected_components_count
def count_components(n, edges):
    parent = list(range(n))

    def find(x):
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for a, b in edges:
        root_a, root_b = find(a), find(b)
        if root_a != root_b:
            parent[root_a] = root_b
            n -= 1
    return n


# task: graph_is_bipartite
def is_bipartite(adjacency):
    side = {}
    for first in adjacency:
        if first in side:
            continue
        side[first] = 0
        queue = deque([first])
        while queue:
            vertex = queue.popleft()
            for neighbor in adjacency[vertex]:
                if neighbor not in side:
                    side[neighbor] = 1 - side[vertex]
                    queue.append(neighbor)
                elif side[neighbor] == side[vertex]:
                    return False
    return True


# task: graph_bridges
def find_bridges(adj):
    entry, low, bridges = {}, {}, []

    def explore(u, came_from):
        entry[u] = low[u] = len(entry)
        for v, copies in Counter(adj[u]).items():
            if v == came_from and copies == 1:
                continue
            if v not in entry:
                explore(v, u)
                if low[v] > entry[u]:
                    bridges.append((u, v))
            low[u] = min(low[u], low[v])

    for root in adj:
        if root not in entry:
            explore(root, None)
    return bridges


# end
