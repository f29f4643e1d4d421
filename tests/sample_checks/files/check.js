const assert = require('node:assert');
const os = require('node:os');
const base = fs.mkdtempSync(path.join(os.tmpdir(), 'check-'));
try {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  const log = path.join(base, 'log.txt');
  const empty = path.join(base, 'empty.txt');
  const short = path.join(base, 'abc.bin');
  fs.writeFileSync(log, 'one\n\n  \ntwo\nthree');
  fs.writeFileSync(empty, '');
  fs.writeFileSync(short, 'abc');
  assert.deepStrictEqual([log, empty, short].map(countLines), [5, 0, 1]);
  assert.deepStrictEqual([log, empty, short].map(countNonBlank), [3, 0, 1]);
  assert.deepStrictEqual(sha256File(short), abc);
  assert.ok(sha256File(empty).startsWith('e3b0c44298fc1c14'));
  fs.mkdirSync(path.join(base, 'sub', 'deep'), { recursive: true });
  fs.writeFileSync(path.join(base, 'sub', 'deep', 'note.TXT'), 'x');
  assert.deepStrictEqual(
    findByExtension(base, '.txt').map((f) => path.basename(f)),
    ['empty.txt', 'log.txt', 'note.TXT']
  );
  assert.deepStrictEqual(findByExtension(base, '.md'), []);
  const target = path.join(base, 'out.bin');
  writeAtomic(target, 'first');
  writeAtomic(target, 'second');
  assert.deepStrictEqual(fs.readFileSync(target, 'utf8'), 'second');
  const before = fs.readdirSync(base);
  assert.throws(() => writeAtomic(path.join(base, 'sub'), 'data'));
  assert.deepStrictEqual(fs.readdirSync(base), before);
  assert.deepStrictEqual(tail(log, 2), ['two', 'three']);
  assert.deepStrictEqual(tail(log, 99), ['one', '', '  ', 'two', 'three']);
  assert.deepStrictEqual(tail(empty, 3), []);
} finally {
  fs.rmSync(base, { recursive: true });
}
