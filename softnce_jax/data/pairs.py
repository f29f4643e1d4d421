"""Pairs of a query and the code that answers it, the candidates they are searched among.

A corpus is one language's data. It comes from a folder or file of yours (`data/read.py`) or from
the embedded sample (`data/sample`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from softnce_jax.data.problems import Problems

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

    def hash(self) -> str:
        """SHA-256 over every row, in order: two corpora are the same data iff it is equal."""
        digest = hashlib.sha256()
        for rows in (self.train, self.valid, self.test, self.codebase):
            for row in rows:
                text = (getattr(row, "query", None), row.code, row.url, row.language, row.family)
                digest.update(json.dumps(text).encode())
            digest.update(b"\0")
        return digest.hexdigest()
