'use strict';

// task: most_common_word
function mostCommonWord(text) {
  const seen = Object.create(null);
  let best = null;
  for (const word of text.toLowerCase().match(/[a-z']+/g) || []) {
    seen[word] = (seen[word] || 0) + 1;
    if (best === null || seen[word] > seen[best]) best = word;
  }
  return best;
}

// task: top_words
function topWords(document, limit = 10, ignore = new Set()) {
  const tally = new Map();
  document
    .toLowerCase()
    .split(/\W+/)
    .filter((token) => token && !ignore.has(token))
    .forEach((token) => tally.set(token, (tally.get(token) ?? 0) + 1));
  return [...tally.entries()]
    .sort(([a, x], [b, y]) => y - x || a.localeCompare(b))
    .slice(0, limit);
}

// task: longest_word
function longestWord(sentence) {
  return sentence
    .split(/\s+/)
    .map((raw) => raw.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, ''))
    .reduce((longest, candidate) => {
      return candidate.length > longest.length ? candidate : longest;
    }, '');
}

// task: group_anagrams
function groupAnagrams(words) {
  const byLetters = {};
  words.forEach((word) => {
    const key = Array.from(word.toLowerCase()).sort().join('');
    (byLetters[key] ||= []).push(word);
  });
  return Object.values(byLetters).filter((group) => group.length > 1);
}

// task: word_ngrams
function wordNgrams(text, n = 2) {
  if (n < 1) throw new RangeError('n must be at least 1');
  const tokens = text.trim().toLowerCase().split(/\s+/);
  const grams = [];
  for (let start = 0; start + n <= tokens.length; start++) {
    grams.push(tokens.slice(start, start + n).join(' '));
  }
  return grams;
}

// task: split_sentences
function splitSentences(paragraph, abbreviations = ['Mr.', 'Mrs.', 'Dr.', 'e.g.', 'i.e.']) {
  const result = [];
  let pending = '';
  for (const part of paragraph.split(/(?<=[.!?])\s+/)) {
    pending = pending ? `${pending} ${part}` : part;
    if (!abbreviations.some((abbr) => ` ${pending}`.endsWith(` ${abbr}`))) {
      result.push(pending);
      pending = '';
    }
  }
  if (pending) result.push(pending);
  return result.filter(Boolean);
}
// end
