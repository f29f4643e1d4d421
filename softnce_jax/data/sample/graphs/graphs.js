// task: topological_sort_kahn
function orderByDependencies(dependencies) {
  const pending = new Map(Object.entries(dependencies).map(([task, needs]) => [task, needs.length]));
  const queue = [...pending.keys()].filter((task) => pending.get(task) === 0);
  for (const done of queue) {
    for (const [task, needs] of Object.entries(dependencies)) {
      if (!needs.includes(done)) continue;
      pending.set(task, pending.get(task) - 1);
      if (pending.get(task) === 0) queue.push(task);
    }
  }
  if (queue.length < pending.size) throw new Error('dependency cycle detected');
  return queue;
}

// task: topological_sort_dfs
function topoSort(graph) {
  const marks = {};
  const result = [];
  const visit = (node) => {
    if (marks[node] === 'permanent') return;
    if (marks[node] === 'temporary') throw new Error(`Graph has a cycle at ${node}`);
    marks[node] = 'temporary';
    (graph[node] || []).forEach(visit);
    marks[node] = 'permanent';
    result.unshift(node);
  };
  Object.keys(graph).forEach(visit);
  return result;
}

// task: dijkstra_distances
function dijkstra(graph, start) {
  const distances = Object.fromEntries(Object.keys(graph).map((name) => [name, Infinity]));
  distances[start] = 0;
  const unvisited = new Set(Object.keys(graph));
  while (unvisited.size > 0) {
    const nearest = [...unvisited].reduce((a, b) => (distances[b] < distances[a] ? b : a));
    unvisited.delete(nearest);
    for (const [neighbor, weight] of Object.entries(graph[nearest])) {
      distances[neighbor] = Math.min(distances[neighbor], distances[nearest] + weight);
    }
  }
  return distances;
}

// task: connected_components_count
function countComponents(nodeCount, edges) {
  const parent = Array.from({ length: nodeCount }, (_, i) => i);
  const rank = new Array(nodeCount).fill(0);
  const find = (x) => (parent[x] === x ? x : (parent[x] = find(parent[x])));
  let groups = nodeCount;
  edges.forEach(([u, v]) => {
    let [a, b] = [find(u), find(v)];
    if (a === b) return;
    if (rank[a] < rank[b]) [a, b] = [b, a];
    parent[b] = a;
    if (rank[a] === rank[b]) rank[a]++;
    groups--;
  });
  return groups;
}

// task: graph_is_bipartite
function isBipartite(adjacencyList) {
  const colors = new Array(adjacencyList.length).fill(-1);
  for (let i = 0; i < adjacencyList.length; i++) {
    if (colors[i] !== -1) continue;
    colors[i] = 0;
    const stack = [i];
    while (stack.length) {
      const current = stack.pop();
      for (const next of adjacencyList[current]) {
        if (colors[next] === colors[current]) return false;
        if (colors[next] === -1) {
          colors[next] = colors[current] ^ 1;
          stack.push(next);
        }
      }
    }
  }
  return true;
}

// task: graph_bridges
function findBridges(n, connections) {
  const links = Array.from({ length: n }, () => []);
  connections.forEach(([u, v], id) => {
    links[u].push({ to: v, id });
    links[v].push({ to: u, id });
  });
  const order = new Array(n).fill(0);
  const critical = [];
  let clock = 0;
  function explore(node, viaEdge) {
    order[node] = ++clock;
    let lowest = order[node];
    for (const { to, id } of links[node]) {
      if (id === viaEdge) continue;
      const isNew = order[to] === 0;
      const reach = isNew ? explore(to, id) : order[to];
      if (isNew && reach > order[node]) critical.push(connections[id]);
      lowest = Math.min(lowest, reach);
    }
    return lowest;
  }
  for (let v = 0; v < n; v++) if (!order[v]) explore(v, -1);
  return critical;
}
// end
