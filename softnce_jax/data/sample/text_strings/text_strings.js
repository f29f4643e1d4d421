// task: palindrome_word
function isPalindrome(text) {
  let left = 0;
  let right = text.length - 1;
  while (left < right) {
    if (text[left++] !== text[right--]) {
      return false;
    }
  }
  return true;
}

// task: palindrome_phrase
function readsSameBackwards(phrase) {
  const letters = phrase
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
  const mirrored = Array.from(letters).reverse().join('');
  return letters === mirrored;
}

// task: camel_to_snake_case
function snakeCase(name) {
  const pattern = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g;
  const parts = name.match(pattern) || [];
  return parts
    .map((part) => part.toLowerCase())
    .join('_');
}

// task: wrap_text
function wordWrap(text, width) {
  const lines = [];
  let line = '';
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const candidate = line ? `${line} ${word}` : word;
    if (line && candidate.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = candidate;
    }
  }
  return line ? [...lines, line] : lines;
}

// task: reverse_word_order
function reverseWords(sentence) {
  return sentence
    .trim()
    .split(/\s+/)
    .reduceRight((acc, token) => (acc === '' ? token : acc + ' ' + token), '');
}

// task: longest_common_prefix
function commonPrefix(strings) {
  let [prefix = '', ...others] = strings;
  for (const other of others) {
    while (!other.startsWith(prefix)) {
      prefix = prefix.slice(0, -1);
    }
  }
  return prefix;
}
// end
