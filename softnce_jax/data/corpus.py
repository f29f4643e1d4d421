"""Pairs of a query and the code that answers it, the candidates they are searched among.

A corpus is one language's data. It comes from a folder or file of yours (`data/load.py`) or from
the embedded sample (`data/sample`).
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
from typing import NamedTuple, TypeVar

import numpy as np

from softnce_jax.errors import InputError


class RowErrors:
    """Rows that cannot be used: counted by reason, or an error at the first when strict."""

    def __init__(self, *, strict: bool = False):
        self.strict = strict
        self.count: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, reason: str, place: str) -> None:
        """Counts a row, or raises InputError naming its file and line."""
        if self.strict:
            raise InputError(f"{place}: {reason}")
        self.count[reason] += 1
        self.first.setdefault(reason, place)

    def lines(self) -> list[str]:
        """One line for each reason, with the first place it was met."""
        return [
            f"skipped {count} row{'s' * (count > 1)}: {reason} (first: {self.first[reason]})"
            for reason, count in self.count.items()
        ]


T = TypeVar("T")
LANGUAGES = ("ruby", "javascript", "go", "python", "java", "php")


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and the function that answers it; `url` names the function."""

    query: str
    code: str
    url: str
    language: str
    family: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function to be searched; functions of one `family` are weakly relevant to one another."""

    code: str
    url: str
    language: str
    family: str | None = None


@dataclass(frozen=True)
class Corpus:
    """One language: pairs in three splits and the candidates that valid and test search."""

    name: str
    language: str
    train: Sequence[Pair]
    valid: Sequence[Pair]
    test: Sequence[Pair]
    codebase: Sequence[Candidate]
    problems: RowErrors = field(default_factory=RowErrors)
    notes: tuple[str, ...] = ()
    protocol: str | None = None  # what a result on these data is to be called, where it has a name

    def hash(self) -> str:
        """SHA-256 over every row, in order: two corpora are the same data iff it is equal.

        A split that knows the hash of its rows, as prepared data do, is not read.
        """
        digest = hashlib.sha256()
        for rows in (self.train, self.valid, self.test, self.codebase):
            if known := getattr(rows, "sha256", None):
                digest.update(known.encode())
                continue
            for row in rows:
                text = (getattr(row, "query", None), row.code, row.url, row.language, row.family)
                digest.update(json.dumps(text).encode())
            digest.update(b"\0")
        return digest.hexdigest()


class Joined(Sequence[T]):
    """Sequences end to end, each read when it is asked for.

    Example:
      >>> rows = Joined([["a", "b"], [], ["c"]])
      >>> len(rows), rows[2], rows[-3], rows[1:], list(rows)
      (3, 'c', 'a', ['b', 'c'], ['a', 'b', 'c'])
    """

    def __init__(self, parts: Sequence[Sequence[T]]):
        self._parts = parts
        self._ends = list(itertools.accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, at):
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(f"row {at} of {len(self)}")
        part = bisect.bisect_right(self._ends, place := at % len(self))
        return self._parts[part][place - self._ends[part]]

    def __iter__(self) -> Iterator[T]:
        return itertools.chain.from_iterable(self._parts)


def different_queries(pairs: Sequence[Pair]) -> list[Pair]:
    """The first pair of every query; case and white space make no other query.

    Example:
      >>> pairs = [Pair(q, "code", "url", "go") for q in ("Sort a list", "sort a  list", "sum")]
      >>> [pair.query for pair in different_queries(pairs)]
      ['Sort a list', 'sum']
    """
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(same_query(pair.query), pair)
    return list(first.values())


def paraphrases(pairs: Sequence[Pair], queries: Sequence[Pair]) -> list[tuple[int, int]]:
    """The queries that have a function in common, as pairs of places in `queries`.

    Args:
      pairs: a split; several of its pairs may have one function, that is one language and url.
      queries: its `different_queries`.

    Returns:
      Pairs of different places, each once, sorted.

    Example:
      >>> asked = [("sort", "a"), ("sum", "b"), ("order", "a")]
      >>> pairs = [Pair(query, "code", url, "go") for query, url in asked]
      >>> paraphrases(pairs, different_queries(pairs))
      [(0, 2)]
    """
    places = {same_query(pair.query): place for place, pair in enumerate(queries)}
    functions: dict[tuple[str, str], set[int]] = {}
    for pair in pairs:
        asking = functions.setdefault((pair.language, pair.url), set())
        asking.add(places[same_query(pair.query)])
    found = (itertools.combinations(sorted(asking), 2) for asking in functions.values())
    return sorted(set(itertools.chain.from_iterable(found)))


def same_query(text: str) -> str:
    """What is equal where two queries differ in case and white space only."""
    return " ".join(text.casefold().split())


class Shared(NamedTuple):
    """How many pairs have a text in common with another pair."""

    pairs: int
    query: int
    code: int


def shared_texts(pairs: Sequence[Pair]) -> Shared:
    """Counts the pairs whose query or code another pair has, too, character by character.

    Example:
      >>> texts = [("sort", "f"), ("sort", "g"), ("sum", "g"), ("find", "h")]
      >>> shared_texts([Pair(query, code, "url", "go") for query, code in texts])
      Shared(pairs=3, query=2, code=2)
    """
    queries, codes = Counter(p.query for p in pairs), Counter(p.code for p in pairs)
    query = [queries[p.query] > 1 for p in pairs]
    code = [codes[p.code] > 1 for p in pairs]
    return Shared(sum(map(max, query, code)), sum(query), sum(code))


class Functions(NamedTuple):
    """The M different functions of R pairs: those that differ in language or url.

    Attributes:
      pair_M: the first pair of each.
      of_R: the function of each pair.
    """

    pair_M: np.ndarray
    of_R: np.ndarray


def functions_of(pairs: Sequence[Pair]) -> Functions:
    """The functions in the order in which they are first met.

    Example:
      >>> functions_of([Pair("query", "code", url, "go") for url in "aba"]).of_R.tolist()
      [0, 1, 0]
    """
    numbers: dict[tuple[str, str], int] = {}
    of_R = np.array([numbers.setdefault((p.language, p.url), len(numbers)) for p in pairs], int)
    return Functions(np.unique(of_R, return_index=True)[1], of_R)


def answers(pairs: Sequence[Pair], functions: Functions) -> list[list[int]]:
    """The functions that are right for each pair's query: its own, and those of the same text.

    A function has the text of a pair if its code is the same, or one of its queries.

    Example:
      >>> texts = [("sort", "f", "a"), ("sort", "g", "b"), ("sum", "g", "c"), ("find", "h", "d")]
      >>> pairs = [Pair(*text, "go") for text in texts]
      >>> answers(pairs, functions_of(pairs))
      [[0, 1], [0, 1, 2], [1, 2], [3]]
    """
    asked: dict[str, set[int]] = {}
    written: dict[str, set[int]] = {}
    for pair, function in zip(pairs, functions.of_R.tolist(), strict=True):
        asked.setdefault(pair.query, set()).add(function)
        written.setdefault(pair.code, set()).add(function)
    return [sorted(asked[pair.query] | written[pair.code]) for pair in pairs]


def answer_keys(pairs: Sequence[Pair]) -> np.ndarray:
    """Keys of the queries that each pair's function answers.

    Returns:
      (R, P) int32, P the most queries of one function; where there are fewer the last again.

    Example:
      >>> pairs = [Pair(query, "code", url, "go") for query, url in ["sa", "tb", "ub"]]
      >>> answer_keys(pairs).shape
      (3, 2)
    """
    asked: dict[int, list[int]] = {}
    of_R = functions_of(pairs).of_R.tolist()
    for function, key in zip(of_R, text_keys([p.query for p in pairs]).tolist(), strict=True):
        asked.setdefault(function, []).append(key)
    width = max(map(len, asked.values()), default=1)
    full = {function: keys + keys[-1:] * (width - len(keys)) for function, keys in asked.items()}
    return np.array([full[function] for function in of_R], np.int32).reshape(len(pairs), width)


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """A 32-bit hash of each text, the same on every host and in every run.

    Two of a batch of 1,024 texts that differ have the same key in one batch of 8,000, and a row
    then lacks one negative.

    Example:
      >>> a, b, c = text_keys(["sort a list", "open a file", "sort a list"])
      >>> bool(a == c), bool(a == b)
      (True, False)
    """
    digests = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=4) for t in texts)
    return np.frombuffer(b"".join(d.digest() for d in digests), "<i4")


FOLDS = 4
VALID_SHARE = 4  # one in so many of the families that are not tested validates


def over_families(corpus: Corpus, fold: int) -> Corpus:
    """The corpus split anew: its pairs of a quarter of the families are tested.

    All pairs are used, whatever split they came from. A family's fold depends on the families'
    names alone, so every language and every seed has the same folds. Of the families that are not
    tested, a quarter validate. The candidates stay those of the whole language.

    Args:
      corpus: pairs with families.
      fold: 0 to 3; each family is tested in exactly one.

    Returns:
      The corpus with new splits.

    Raises:
      InputError: no such fold, pairs without a family, or too few families.

    Example:
      >>> from softnce_jax.data.sample import load_sample
      >>> corpus = over_families(load_sample("ruby"), 0)
      >>> len(corpus.train), len(corpus.valid), len(corpus.test), len(corpus.codebase)
      (108, 36, 48, 96)
    """
    if fold not in range(FOLDS):
        raise InputError(f"--fold {fold}: there are folds 0 to {FOLDS - 1}")
    pairs = [*corpus.train, *corpus.valid, *corpus.test]
    if alone := [pair.url for pair in pairs if pair.family is None]:
        raise InputError(f"--fold needs families, but {alone[0]} has none: see 'Bring your data'")
    families = sorted({pair.family for pair in pairs}, key=_shuffled)
    if len(families) < 2 * FOLDS:
        raise InputError(f"--fold needs at least {2 * FOLDS} families, got {len(families)}")
    tested = set(families[fold::FOLDS])
    others = [family for family in families if family not in tested]
    valid = set(others[::VALID_SHARE])

    def of(chosen: set[str]) -> list[Pair]:
        return [pair for pair in pairs if pair.family in chosen]

    return dataclasses.replace(
        corpus, train=of({*others} - valid), valid=of(valid), test=of(tested)
    )


def _shuffled(family: str) -> str:
    """A key that orders names as if at random, the same on every machine."""
    return hashlib.sha256(family.encode()).hexdigest()
