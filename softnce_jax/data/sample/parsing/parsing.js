// task: csv_line_split
function splitCsvLine(line) {
  const fields = [];
  let field = '';
  let inQuotes = false;
  for (let i = 0; i < line.length; i++) {
    const ch = line[i];
    if (inQuotes && ch === '"' && line[i + 1] === '"') {
      field += '"';
      i++;
    } else if (ch === '"') {
      inQuotes = !inQuotes;
    } else if (ch === ',' && !inQuotes) {
      fields.push(field);
      field = '';
    } else {
      field += ch;
    }
  }
  return [...fields, field];
}

// task: csv_line_regex
function csvColumns(record) {
  const cell = /(?:"((?:[^"]|"")*)"|([^,]*)),/g;
  const matches = [...`${record},`.matchAll(cell)];
  return matches.map(([, quoted, bare]) => {
    if (quoted === undefined) return bare.trim();
    return quoted.replaceAll('""', '"');
  });
}

// task: query_string_params
function parseQuery(search) {
  const decode = (text) => decodeURIComponent(text.replace(/\+/g, ' '));
  const params = {};
  for (const part of search.replace(/^\?/, '').split('&').filter(Boolean)) {
    const [key, ...rest] = part.split('=');
    const name = decode(key);
    params[name] = params[name] || [];
    params[name].push(decode(rest.join('=')));
  }
  return params;
}

// task: arithmetic_expression_value
function evaluate(source) {
  const tokens = source.match(/\d+(\.\d+)?|[-+*/()]/g) || [];
  const precedence = { '+': 1, '-': 1, '*': 2, '/': 2 };
  const apply = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '/': (a, b) => a / b,
  };
  function climb(minimum) {
    const token = tokens.shift();
    let left = token === '(' ? climb(1) : token === '-' ? -climb(3) : Number(token);
    if (token === '(' && tokens.shift() !== ')') throw new SyntaxError('Expected )');
    while (precedence[tokens[0]] >= minimum) {
      const symbol = tokens.shift();
      left = apply[symbol](left, climb(precedence[symbol] + 1));
    }
    return left;
  }
  return climb(1);
}

// task: roman_numeral_to_integer
function romanToInt(roman) {
  const values = { I: 1, V: 5, X: 10, L: 50, C: 100, D: 500, M: 1000 };
  let largest = 0;
  return [...roman.toUpperCase()].reduceRight((sum, letter) => {
    const value = values[letter];
    largest = Math.max(largest, value);
    return value < largest ? sum - value : sum + value;
  }, 0);
}

// task: access_log_line
function parseAccessLog(entry) {
  const match = /^(?<ip>\S+) \S+ (?<user>\S+) \[(?<when>[^\]]+)\] "(?<request>[^"]*)" (?<status>\d+)/.exec(entry);
  if (!match) return null;
  const { ip, user, when, request, status } = match.groups;
  const [date, hours, minutes, secondsAndZone] = when.split(':');
  const [method, path] = request.split(' ');
  const time = new Date(`${date.split('/').join(' ')} ${hours}:${minutes}:${secondsAndZone}`);
  return { ip, user, time, method, path, status: parseInt(status, 10) };
}
// end
