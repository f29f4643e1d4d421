const assert = require('node:assert');
assert.deepStrictEqual(splitCsvLine('a,"b,c",d'), ['a', 'b,c', 'd']);
assert.deepStrictEqual(splitCsvLine('"say ""hi""",,""'), ['say "hi"', '', '']);
assert.deepStrictEqual(splitCsvLine(''), ['']);
assert.deepStrictEqual(csvColumns('a,"b,c", d'), ['a', 'b,c', 'd']);
assert.deepStrictEqual(csvColumns('"say ""hi""",,""'), ['say "hi"', '', '']);
assert.deepStrictEqual(csvColumns(',x'), ['', 'x']);
assert.deepStrictEqual(csvColumns(''), ['']);
assert.deepStrictEqual(parseQuery('?q=a+b&tag=1&tag=2'), { q: ['a b'], tag: ['1', '2'] });
assert.deepStrictEqual(parseQuery('e=%26&&flag&x=1=2'), { e: ['&'], flag: [''], x: ['1=2'] });
assert.deepStrictEqual(parseQuery(''), {});
assert.deepStrictEqual(evaluate('2 + 3 * 4'), 14);
assert.deepStrictEqual(evaluate('(2 + 3) * -4 / 8'), -2.5);
assert.deepStrictEqual(evaluate('10 - 3 - 2'), 5);
assert.deepStrictEqual(evaluate('2 * (1 + (3 - 1)) + 1'), 7);
assert.throws(() => evaluate('(1 + 2'), SyntaxError);
assert.deepStrictEqual(romanToInt('MCMXC'), 1990);
assert.deepStrictEqual(romanToInt('xiv'), 14);
assert.deepStrictEqual(romanToInt(''), 0);
const sample = '10.0.0.7 - bob [05/Mar/2023:10:11:12 +0000] "GET /a?b=1 HTTP/1.1" 404 -';
assert.deepStrictEqual(parseAccessLog(sample), {
  ip: '10.0.0.7', user: 'bob', time: new Date(Date.UTC(2023, 2, 5, 10, 11, 12)), method: 'GET', path: '/a?b=1', status: 404,
});
assert.deepStrictEqual(parseAccessLog('nonsense'), null);
