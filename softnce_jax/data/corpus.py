"""One language's data: pairs of a query and the function that answers it, and the candidates.

A corpus is read from a folder or file (data/load.py) or from the embedded sample (data/sample).
"""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

from softnce_jax.errors import InputError, check_texts

__all__ = [
    "FOLDS",
    "Candidate",
    "Corpus",
    "Functions",
    "Joined",
    "Pair",
    "RowErrors",
    "SharedTexts",
    "answer_keys",
    "code_texts",
    "correct_functions",
    "paraphrases",
    "shared_texts",
    "split_by_family",
    "text_keys",
    "unique_functions",
    "unique_queries",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and the function that answers it; the language and url identify the function.

    Attributes:
      query: what is asked.
      code: the function as a tokenizer reads it; in CodeSearchNet its tokens joined by spaces.
      url: the name of the function.
      language: a key of LANGUAGES.
      family: functions of one family are weakly relevant to one another.
      source: the function as it was written, which data flow is taken from; `code` if "".
    """

    query: str
    code: str
    url: str
    language: str
    family: str | None = None
    source: str = ""

    def __post_init__(self):
        _share_text(self)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function to be searched; its fields are those of a Pair."""

    code: str
    url: str
    language: str
    family: str | None = None
    source: str = ""

    def __post_init__(self):
        _share_text(self)


def _share_text(row: Pair | Candidate) -> None:
    """Makes code and source one object where they are one text: most data have no other."""
    if not row.source or row.source == row.code:
        object.__setattr__(row, "source", row.code)


def code_texts(row: Any) -> tuple[str, ...]:
    """The code of a row and, where that is another text, its source: what hashes of data cover.

    Example:
      >>> code_texts(Candidate("f ( )", "u", "go", source="f()"))
      ('f ( )', 'f()')
      >>> code_texts(Candidate("f()", "u", "go"))
      ('f()',)
    """
    return (row.code,) if row.source == row.code else (row.code, row.source)


MOST_REASONS = 30  # that are told apart: a reason may name what the file says


class RowErrors:
    """Rows that cannot be used: counted by reason, or (strict) an error at the first one.

    Attributes:
      count: rows by reason; what comes after MOST_REASONS are "other reasons".
      first: the location (file:line) of the first row by reason.
    """

    def __init__(self, *, strict: bool = False):
        self.strict = strict
        self.count: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, reason: str, location: str) -> None:
        """Counts a row; raises InputError instead if strict."""
        if self.strict:
            raise InputError(f"{location}: {reason}")
        if reason not in self.count and len(self.count) >= MOST_REASONS:
            reason = "other reasons"
        self.count[reason] += 1
        self.first.setdefault(reason, location)

    def lines(self) -> list[str]:
        """A line for each reason, with the location of the first row."""
        return [
            f"skipped {count} row{'s' * (count > 1)}: {reason} (first: {self.first[reason]})"
            for reason, count in self.count.items()
        ]


@dataclass(frozen=True)
class Corpus:
    """One language's data.

    Attributes:
      name: of the data, for messages: `sample` or a path.
      language: a key of LANGUAGES.
      train: pairs to train on.
      valid: pairs to validate on.
      test: pairs to test on.
      codebase: the candidates among which queries of valid and test search.
      row_errors: rows that were left out.
      notes: what the user should be told about the data.
      protocol: what a result on these data is to be called, if it has a name.
    """

    name: str
    language: str
    train: Sequence[Pair]
    valid: Sequence[Pair]
    test: Sequence[Pair]
    codebase: Sequence[Candidate]
    row_errors: RowErrors = field(default_factory=RowErrors)
    notes: tuple[str, ...] = ()
    protocol: str | None = None

    def hash(self) -> str:
        """SHA-256 of all rows in order: equal if and only if two corpora are the same data.

        Splits of prepared data know the hash of their rows; then the rows are not read.
        """
        digest = hashlib.sha256()
        for rows in (self.train, self.valid, self.test, self.codebase):
            if known := getattr(rows, "sha256", None):
                digest.update(known.encode())
                continue
            for row in rows:
                texts = (getattr(row, "query", None), *code_texts(row))
                digest.update(json.dumps((*texts, row.url, row.language, row.family)).encode())
            digest.update(b"\0")
        return digest.hexdigest()


class Joined(Sequence[T]):
    """Sequences end to end, read element by element, so that each may stay on disk.

    Example:
      >>> rows = Joined([["a", "b"], [], ["c"]])
      >>> len(rows), rows[2], rows[-3], rows[1:], list(rows)
      (3, 'c', 'a', ['b', 'c'], ['a', 'b', 'c'])
    """

    def __init__(self, sequences: Sequence[Sequence[T]]):
        self._sequences = sequences
        self._ends = list(itertools.accumulate(map(len, sequences)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        index %= len(self)
        n = bisect.bisect_right(self._ends, index)
        return self._sequences[n][index - self._ends[n]]  # counted from the sequence's end

    def __iter__(self) -> Iterator[T]:
        return itertools.chain.from_iterable(self._sequences)


def unique_queries(pairs: Sequence[Pair]) -> list[Pair]:
    """The first pair of each query; queries are the same if only case and white space differ.

    Example:
      >>> pairs = [Pair(q, "code", "url", "go") for q in ("Sort a list", "sort a  list", "sum")]
      >>> [pair.query for pair in unique_queries(pairs)]
      ['Sort a list', 'sum']
    """
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(_normalized(pair.query), pair)
    return list(first.values())


def paraphrases(pairs: Sequence[Pair], queries: Sequence[Pair]) -> list[tuple[int, int]]:
    """The queries that share a function, as pairs of indices in `queries`.

    Args:
      pairs: a split. Several of its pairs may have one function: one language and url.
      queries: its `unique_queries`.

    Returns:
      Pairs (i, j), i < j, each once, sorted.

    Example:
      >>> rows = [("sort", "a"), ("sum", "b"), ("order", "a")]
      >>> pairs = [Pair(query, "code", url, "go") for query, url in rows]
      >>> paraphrases(pairs, unique_queries(pairs))
      [(0, 2)]
    """
    index = {_normalized(pair.query): i for i, pair in enumerate(queries)}
    queries_of: dict[tuple[str, str], set[int]] = {}
    for pair in pairs:
        same_function = queries_of.setdefault((pair.language, pair.url), set())
        same_function.add(index[_normalized(pair.query)])
    pairs_of = (itertools.combinations(sorted(same), 2) for same in queries_of.values())
    return sorted(set(itertools.chain.from_iterable(pairs_of)))


def _normalized(query: str) -> str:
    """A query without the differences that make no other query: case and white space."""
    return " ".join(query.casefold().split())


class SharedTexts(NamedTuple):
    """Numbers of pairs that share a text with another pair.

    Attributes:
      pairs: that share their query or their code.
      query: that share their query.
      code: that share their code.
    """

    pairs: int
    query: int
    code: int


def shared_texts(pairs: Sequence[Pair]) -> SharedTexts:
    """Counts the pairs whose query or code is, character by character, that of another pair.

    Example:
      >>> texts = [("sort", "f"), ("sort", "g"), ("sum", "g"), ("find", "h")]
      >>> shared_texts([Pair(query, code, "url", "go") for query, code in texts])
      SharedTexts(pairs=3, query=2, code=2)
    """
    queries, codes = Counter(p.query for p in pairs), Counter(p.code for p in pairs)
    query = [queries[p.query] > 1 for p in pairs]
    code = [codes[p.code] > 1 for p in pairs]
    return SharedTexts(sum(map(max, query, code)), sum(query), sum(code))


class Functions(NamedTuple):
    """The M functions of R pairs: two are different if their languages or urls are.

    Attributes:
      pair_M: index of each function's first pair.
      function_R: index of each pair's function.
    """

    pair_M: np.ndarray
    function_R: np.ndarray


def unique_functions(pairs: Sequence[Pair]) -> Functions:
    """The functions of pairs, numbered in the order of their first pairs.

    Example:
      >>> unique_functions([Pair("query", "code", url, "go") for url in "aba"]).function_R.tolist()
      [0, 1, 0]
    """
    number: dict[tuple[str, str], int] = {}
    function_R = np.array([number.setdefault((p.language, p.url), len(number)) for p in pairs], int)
    return Functions(np.unique(function_R, return_index=True)[1], function_R)


def correct_functions(pairs: Sequence[Pair], functions: Functions) -> list[list[int]]:
    """The functions that are right for each pair's query: its own, and those with the same text.

    A function has the same text if its code is the pair's code, or one of its queries the pair's.

    Example:
      >>> texts = [("sort", "f", "a"), ("sort", "g", "b"), ("sum", "g", "c"), ("find", "h", "d")]
      >>> pairs = [Pair(*text, "go") for text in texts]
      >>> correct_functions(pairs, unique_functions(pairs))
      [[0, 1], [0, 1, 2], [1, 2], [3]]
    """
    by_query: dict[str, set[int]] = {}
    by_code: dict[str, set[int]] = {}
    for pair, function in zip(pairs, functions.function_R.tolist(), strict=True):
        by_query.setdefault(pair.query, set()).add(function)
        by_code.setdefault(pair.code, set()).add(function)
    return [sorted(by_query[pair.query] | by_code[pair.code]) for pair in pairs]


def answer_keys(pairs: Sequence[Pair]) -> np.ndarray:
    """Keys of all queries that each pair's function answers.

    Returns:
      (R, P) int32. P is the largest number of queries of one function; a function with fewer
      repeats its last key.

    Example:
      >>> pairs = [Pair(query, "code", url, "go") for query, url in ["sa", "tb", "ub"]]
      >>> answer_keys(pairs).shape
      (3, 2)
    """
    keys_of: dict[int, list[int]] = {}
    function_R = unique_functions(pairs).function_R.tolist()
    for function, key in zip(function_R, text_keys([p.query for p in pairs]).tolist(), strict=True):
        keys_of.setdefault(function, []).append(key)
    width = max(map(len, keys_of.values()), default=1)
    padded = {
        function: keys + keys[-1:] * (width - len(keys)) for function, keys in keys_of.items()
    }
    return np.array([padded[function] for function in function_R], np.int32).reshape(-1, width)


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """A 32-bit hash of each text, the same on every host and in every run.

    Different texts may get the same key. In batches of 1,024 texts that happens in one batch of
    8,000, and costs a row one of its negatives.

    Example:
      >>> a, b, c = text_keys(["sort a list", "open a file", "sort a list"])
      >>> bool(a == c), bool(a == b)
      (True, False)
    """
    check_texts(texts, "texts")
    digests = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=4) for t in texts)
    return np.frombuffer(b"".join(d.digest() for d in digests), "<i4")


FOLDS = 4
VALID_STEP = 4  # of the families that are not tested, every fourth validates


def split_by_family(corpus: Corpus, fold: int) -> Corpus:
    """Splits the corpus by families for cross-validation: one fold of them is tested.

    All pairs are used, whatever split they came from. A family's fold depends on the families'
    names alone, so every language and every seed has the same folds. Of the families that are not
    tested, a quarter validates. The candidates stay those of the whole language.

    Args:
      corpus: its pairs have families.
      fold: 0 to 3; each family is tested in exactly one.

    Returns:
      The corpus with new splits.

    Raises:
      InputError: no such fold, pairs without a family, or too few families.

    Example:
      >>> from softnce_jax.data.sample import load_sample
      >>> corpus = split_by_family(load_sample("ruby"), 0)
      >>> len(corpus.train), len(corpus.valid), len(corpus.test), len(corpus.codebase)
      (108, 36, 48, 96)
    """
    if fold not in range(FOLDS):
        raise InputError(f"--fold {fold}: there are folds 0 to {FOLDS - 1}")
    pairs = [*corpus.train, *corpus.valid, *corpus.test]
    if alone := [pair.url for pair in pairs if pair.family is None]:
        raise InputError(f"--fold needs families, but {alone[0]} has none: see 'Bring your data'")
    families = sorted({pair.family for pair in pairs}, key=_shuffle_key)
    if len(families) < 2 * FOLDS:
        raise InputError(f"--fold needs at least {2 * FOLDS} families, got {len(families)}")
    tested = set(families[fold::FOLDS])
    others = [family for family in families if family not in tested]
    valid = set(others[::VALID_STEP])

    def select(chosen: set[str]) -> list[Pair]:
        return [pair for pair in pairs if pair.family in chosen]

    return dataclasses.replace(
        corpus, train=select({*others} - valid), valid=select(valid), test=select(tested)
    )


def _shuffle_key(family: str) -> str:
    """A key that orders names as if at random, the same on every machine."""
    return hashlib.sha256(family.encode()).hexdigest()
