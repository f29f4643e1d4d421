const assert = require('node:assert');
assert.deepStrictEqual(mostCommonWord('The cat saw the other cat near the tree'), 'the');
assert.deepStrictEqual(mostCommonWord(' ... '), null);
assert.deepStrictEqual(mostCommonWord('constructor'), 'constructor');
assert.deepStrictEqual(topWords('red blue red green Blue red', 2), [['red', 3], ['blue', 2]]);
assert.deepStrictEqual(topWords('b a c', 9, new Set(['c'])), [['a', 1], ['b', 1]]);
assert.deepStrictEqual(topWords(''), []);
assert.deepStrictEqual(longestWord("A quick, 'remarkable' fox!"), 'remarkable');
assert.deepStrictEqual(longestWord(''), '');
assert.deepStrictEqual(groupAnagrams(['Listen', 'cat', 'silent', 'act', 'dog']), [
  ['Listen', 'silent'],
  ['cat', 'act'],
]);
assert.deepStrictEqual(groupAnagrams([]), []);
assert.deepStrictEqual(wordNgrams('To be or not'), ['to be', 'be or', 'or not']);
assert.deepStrictEqual(wordNgrams('a b', 3), []);
assert.throws(() => wordNgrams('a', 0), RangeError);
assert.deepStrictEqual(splitSentences('Dr. Hall left. Why? Nobody knew'), [
  'Dr. Hall left.',
  'Why?',
  'Nobody knew',
]);
assert.deepStrictEqual(splitSentences(''), []);
