const assert = require('node:assert');

assert.deepStrictEqual(humanFileSize(0), '0 B');
assert.deepStrictEqual(humanFileSize(1536), '1.5 KB');
assert.deepStrictEqual(humanFileSize(5 * 1024 ** 5), '5120.0 TB');

assert.deepStrictEqual(sizeLabel(0), '0 bytes');
assert.deepStrictEqual(sizeLabel(1023), '1023 bytes');
assert.deepStrictEqual(sizeLabel(1310720), '1.25 MiB');
assert.deepStrictEqual(sizeLabel(2 ** 60), '1024 PiB');

assert.deepStrictEqual([1, 2, 3, 4].map(toOrdinal), ['1st', '2nd', '3rd', '4th']);
assert.deepStrictEqual([11, 12, 113, 121].map(toOrdinal), ['11th', '12th', '113th', '121st']);

assert.deepStrictEqual(addCommas(1234567), '1,234,567');
assert.deepStrictEqual(addCommas(-100), '-100');
assert.deepStrictEqual(addCommas(12345.25, ' '), '12 345.25');

assert.deepStrictEqual(drawProgress(1, 2, { width: 10 }), '|#####     |  50%');
assert.deepStrictEqual(drawProgress(9, 4, { width: 4 }), '|####| 100%');
assert.deepStrictEqual(drawProgress(0, 0, { width: 4, blank: '.' }), '|....|   0%');

assert.deepStrictEqual(
  renderTable(['id', 'name'], [[1, 'ann'], [22, 'bo']]),
  'id | name\n-- | ----\n1  | ann\n22 | bo'
);
assert.deepStrictEqual(renderTable(['a'], []), 'a\n-');
