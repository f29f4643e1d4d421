"""Pairs of a query and the code that answers it, the candidates they are searched among.

A corpus is one language's data. It comes from a folder or file of yours (`data/load.py`) or from
the embedded sample (`data/sample`).
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from softnce_jax.data.problems import Problems

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
    problems: Problems = field(default_factory=Problems)
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
