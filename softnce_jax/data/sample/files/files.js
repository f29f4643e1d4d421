const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

// task: count_file_lines
function countLines(filename) {
  const content = fs.readFileSync(filename, 'utf8');
  let count = 0;
  for (let at = content.indexOf('\n'); at !== -1; at = content.indexOf('\n', at + 1)) {
    count++;
  }
  const unfinished = content !== '' && !content.endsWith('\n');
  return unfinished ? count + 1 : count;
}

// task: count_nonblank_lines
function countNonBlank(file) {
  return fs
    .readFileSync(file, { encoding: 'utf8' })
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .length;
}

// task: file_sha256
function sha256File(filePath) {
  const hash = crypto.createHash('sha256');
  const buffer = Buffer.alloc(64 * 1024);
  const fd = fs.openSync(filePath, 'r');
  try {
    let size;
    while ((size = fs.readSync(fd, buffer)) > 0) {
      hash.update(buffer.subarray(0, size));
    }
  } finally {
    fs.closeSync(fd);
  }
  return hash.digest('hex');
}

// task: find_files_by_extension
function findByExtension(dir, extension) {
  const found = [];
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory()) {
      found.push(...findByExtension(full, extension));
    } else if (path.extname(entry.name).toLowerCase() === extension) {
      found.push(full);
    }
  }
  return found.sort();
}

// task: atomic_file_write
function writeAtomic(target, data) {
  const temporary = `${target}.${process.pid}.${crypto.randomUUID()}`;
  try {
    fs.writeFileSync(temporary, data, { flag: 'wx' });
    fs.renameSync(temporary, target);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

// task: last_lines_of_file
function tail(logFile, n = 10) {
  const text = fs.readFileSync(logFile).toString();
  const lines = text.split('\n');
  if (lines.at(-1) === '') {
    lines.pop();
  }
  return lines.slice(Math.max(lines.length - n, 0));
}
// end
