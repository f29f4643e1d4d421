// task: weekday_zeller
function zellerDay(year, month, day) {
  const m = month < 3 ? month + 12 : month;
  const y = month < 3 ? year - 1 : year;
  const k = y % 100;
  const j = Math.floor(y / 100);
  const h = (day + Math.floor((13 * (m + 1)) / 5) + k + Math.floor(k / 4) + Math.floor(j / 4) + 5 * j) % 7;
  return ['Sat', 'Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri'][h];
}

// task: weekday_from_known_monday
function getWeekdayName(isoDate) {
  const names = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
  const millisPerDay = 24 * 60 * 60 * 1000;
  const knownMonday = Date.parse('1970-01-05');
  const elapsed = Math.round((Date.parse(isoDate) - knownMonday) / millisPerDay);
  if (Number.isNaN(elapsed)) throw new RangeError(`Invalid date: ${isoDate}`);
  return names[((elapsed % 7) + 7) % 7];
}

// task: date_ranges_overlap_days
function overlappingDays(a, b) {
  const start = a.start > b.start ? a.start : b.start;
  const end = a.end < b.end ? a.end : b.end;
  if (start > end) {
    return 0;
  }
  return Math.round((end - start) / 86400000) + 1;
}

// task: duration_to_words
function formatDuration(seconds) {
  const units = { d: 86400, h: 3600, m: 60, s: 1 };
  let remaining = Math.floor(seconds);
  const output = [];
  for (const [suffix, size] of Object.entries(units)) {
    const amount = Math.trunc(remaining / size);
    remaining -= amount * size;
    if (amount > 0) output.push(`${amount}${suffix}`);
  }
  return output.length ? output.join(' ') : '0s';
}

// task: business_days_between
function countWorkdays(from, to, holidays = []) {
  const skipped = new Set(holidays);
  const cursor = new Date(from);
  let workdays = 0;
  while (cursor < to) {
    const weekend = cursor.getUTCDay() === 0 || cursor.getUTCDay() === 6;
    if (!weekend && !skipped.has(cursor.toISOString().slice(0, 10))) {
      workdays += 1;
    }
    cursor.setUTCDate(cursor.getUTCDate() + 1);
  }
  return workdays;
}

// task: date_add_months
function addMonths(date, count) {
  const shifted = new Date(date.getTime());
  shifted.setUTCMonth(shifted.getUTCMonth() + count);
  if (shifted.getUTCDate() !== date.getUTCDate()) {
    shifted.setUTCDate(0);
  }
  return shifted;
}
// end
