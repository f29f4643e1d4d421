// task: format_byte_size
function humanFileSize(bytes) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let step = 0;
  while (size >= 1024 && step < units.length - 1) {
    size /= 1024;
    step += 1;
  }
  return step === 0 ? `${bytes} B` : `${size.toFixed(1)} ${units[step]}`;
}

// task: file_size_unit
function sizeLabel(length, decimals = 2) {
  if (!length) {
    return '0 bytes';
  }
  const names = 'bytes KiB MiB GiB TiB PiB'.split(' ');
  const power = Math.min(Math.floor(Math.log2(length) / 10), names.length - 1);
  const scaled = length / Math.pow(1024, power);
  return parseFloat(scaled.toFixed(decimals)) + ' ' + names[power];
}

// task: ordinal_number
function toOrdinal(number) {
  const rules = new Intl.PluralRules('en', { type: 'ordinal' });
  const suffixes = new Map([
    ['one', 'st'],
    ['two', 'nd'],
    ['few', 'rd'],
    ['other', 'th'],
  ]);
  return number + suffixes.get(rules.select(number));
}

// task: thousands_separator
function addCommas(value, separator = ',') {
  const [whole, fraction] = String(value).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, separator);
  if (fraction === undefined) {
    return grouped;
  }
  return `${grouped}.${fraction}`;
}

// task: progress_bar
function drawProgress(completed, total, { width = 20, mark = '#', blank = ' ' } = {}) {
  const share = total > 0 ? completed / total : 0;
  const percent = Math.min(100, Math.max(0, Math.round(share * 100)));
  const full = Math.floor((percent * width) / 100);
  const bar = mark.repeat(full).padEnd(width, blank);
  return `|${bar}| ${String(percent).padStart(3)}%`;
}

// task: text_table
function renderTable(header, rows) {
  const table = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) =>
    Math.max(...table.map((row) => row[column].length))
  );
  const rule = widths.map((width) => '-'.repeat(width));
  table.splice(1, 0, rule);
  return table
    .map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join(' | ').trimEnd())
    .join('\n');
}

// end
