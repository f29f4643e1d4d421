// task: bubble_sort
function bubbleSort(values) {
  const items = [...values];
  for (let end = items.length - 1; end > 0; end--) {
    let swapped = false;
    for (let i = 0; i < end; i++) {
      if (items[i] > items[i + 1]) {
        [items[i], items[i + 1]] = [items[i + 1], items[i]];
        swapped = true;
      }
    }
    if (!swapped) break;
  }
  return items;
}

// task: selection_sort
function selectionSort(array) {
  const sorted = array.slice();
  sorted.forEach((current, start) => {
    let lowest = start;
    for (let j = start + 1; j < sorted.length; j++) {
      if (sorted[j] < sorted[lowest]) lowest = j;
    }
    sorted[start] = sorted[lowest];
    sorted[lowest] = current;
  });
  return sorted;
}

// task: merge_sorted_lists
function mergeSorted(left, right) {
  const merged = [];
  let a = 0;
  let b = 0;
  while (a < left.length && b < right.length) {
    merged.push(left[a] <= right[b] ? left[a++] : right[b++]);
  }
  return merged.concat(left.slice(a), right.slice(b));
}

// task: sort_people_by_age_then_name
function sortByAgeAndName(people) {
  return [...people].sort((first, second) => {
    if (first.age !== second.age) {
      return second.age - first.age;
    }
    return first.name.localeCompare(second.name);
  });
}

// task: counting_sort
function countingSort(numbers) {
  const counts = [];
  for (const n of numbers) {
    counts[n] = (counts[n] ?? 0) + 1;
  }
  const output = [];
  counts.forEach((count, n) => {
    for (let k = 0; k < count; k++) output.push(n);
  });
  return output;
}

// task: natural_sort
function naturalSort(names) {
  const collator = new Intl.Collator('en', {
    numeric: true,
    sensitivity: 'base',
  });
  return Array.from(names).sort(collator.compare);
}
// end
