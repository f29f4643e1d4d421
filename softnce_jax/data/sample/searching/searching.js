// task: binary_search
function binarySearch(sorted, target) {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const mid = (low + high) >>> 1;
    if (sorted[mid] === target) return mid;
    if (sorted[mid] < target) {
      low = mid + 1;
    } else {
      high = mid - 1;
    }
  }
  return -1;
}

// task: first_occurrence_in_sorted
function firstOccurrence(numbers, wanted) {
  let start = 0;
  for (let size = numbers.length; size > 0; ) {
    const half = Math.floor(size / 2);
    if (numbers[start + half] < wanted) {
      start += half + 1;
      size -= half + 1;
    } else {
      size = half;
    }
  }
  return numbers[start] === wanted ? start : -1;
}

// task: kth_largest
function kthLargest(values, k) {
  if (k < 1 || k > values.length) {
    throw new RangeError(`k must be in 1..${values.length}`);
  }
  const [pivot, ...others] = values;
  const bigger = others.filter((v) => v > pivot);
  if (bigger.length >= k) return kthLargest(bigger, k);
  if (bigger.length === k - 1) return pivot;
  const smaller = others.filter((v) => v <= pivot);
  return kthLargest(smaller, k - bigger.length - 1);
}

// task: pair_with_sum
function twoSum(numbers, target) {
  const seen = new Map();
  for (const [index, number] of numbers.entries()) {
    const needed = target - number;
    if (seen.has(needed)) {
      return [seen.get(needed), index];
    }
    seen.set(number, index);
  }
  return null;
}

// task: closest_value
function closest(values, goal) {
  return values.reduce((best, candidate) => {
    const gap = Math.abs(candidate - goal);
    return gap < Math.abs(best - goal) ? candidate : best;
  }, Infinity);
}

// task: search_sorted_matrix
function searchMatrix(matrix, target) {
  let row = matrix.length - 1;
  let col = 0;
  while (row >= 0 && col < matrix[row].length) {
    const cell = matrix[row][col];
    if (cell === target) return { row, col };
    if (cell > target) row--;
    else col++;
  }
  return undefined;
}
// end
