// task: balanced_brackets
function isBalanced(text) {
  const partner = { ')': '(', ']': '[', '}': '{' };
  const stack = [];
  for (const char of text) {
    if ('([{'.includes(char)) {
      stack.push(char);
    } else if (char in partner && stack.pop() !== partner[char]) {
      return false;
    }
  }
  return stack.length === 0;
}

// task: bracket_pair_removal
function isProperlyNested(source) {
  let rest = source.replace(/[^()[\]{}]/g, '');
  let before;
  do {
    before = rest.length;
    rest = rest.replace(/\(\)|\[\]|\{\}/g, '');
  } while (rest.length < before);
  return rest === '';
}

// task: sliding_window_max
function slidingMax(values, size) {
  const deque = [];
  const maxima = [];
  values.forEach((value, end) => {
    while (deque.length && values[deque.at(-1)] <= value) {
      deque.pop();
    }
    deque.push(end);
    if (deque[0] <= end - size) {
      deque.shift();
    }
    if (end >= size - 1) {
      maxima.push(values[deque[0]]);
    }
  });
  return maxima;
}

// task: next_greater_element
function nextGreater(items) {
  const result = new Array(items.length).fill(null);
  const stack = [];
  for (let i = items.length - 1; i >= 0; i--) {
    while (stack.length > 0 && stack[stack.length - 1] <= items[i]) {
      stack.pop();
    }
    result[i] = stack[stack.length - 1] ?? null;
    stack.push(items[i]);
  }
  return result;
}

// task: round_robin_schedule
function roundRobin(jobs, quantum) {
  const queue = jobs.map((job) => ({ ...job }));
  const finished = [];
  let clock = 0;
  while (queue.length) {
    const job = queue.shift();
    const slice = Math.min(quantum, job.remaining);
    clock += slice;
    job.remaining -= slice;
    if (job.remaining > 0) {
      queue.push(job);
    } else {
      finished.push({ name: job.name, at: clock });
    }
  }
  return finished;
}

// task: priority_dispatch
function serveByPriority(tasks) {
  const lanes = new Map();
  for (const task of tasks) {
    if (!lanes.has(task.priority)) {
      lanes.set(task.priority, []);
    }
    lanes.get(task.priority).push(task.name);
  }
  const levels = [...lanes.keys()].sort((a, b) => b - a);
  return levels.flatMap((level) => lanes.get(level));
}

// end
