"""queries.npz beside results.json: every metric of every query, for tests paired over queries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.files import whole_file

__all__ = ["QUERIES_FILE", "QueryScores", "query_hashes", "read_queries", "write_queries"]

QUERIES_FILE = "queries.npz"


class QueryScores(NamedTuple):
    """The metrics of every query, and which queries are the same.

    Attributes:
      values: language → system → metric → (Q,) values.
      hashes: language → "query" and "family" → (Q,) hashes, equal where the text or family is.
    """

    values: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]
    hashes: Mapping[str, Mapping[str, np.ndarray]]


def query_hashes(pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Hashes of the queries' texts and of their families; a pair without a family is its own.

    Example:
      >>> query_hashes([Pair("sort a list", "code", "url", "go", "sorting")])["family"].dtype
      dtype('S16')
    """
    return {
        "query": _hashes(pair.query for pair in pairs),
        "family": _hashes(pair.family or pair.url for pair in pairs),
    }


def write_queries(folder: Path, scores: QueryScores) -> None:
    """Writes `queries.npz`: arrays called language/system/metric and language//hash."""
    arrays = {
        f"{language}/{system}/{metric}": value_Q
        for language, systems in scores.values.items()
        for system, metrics in systems.items()
        for metric, value_Q in metrics.items()
    }
    arrays |= {
        f"{language}//{name}": hash_Q
        for language, hashes in scores.hashes.items()
        for name, hash_Q in hashes.items()
    }
    with whole_file(folder / QUERIES_FILE) as file:
        np.savez_compressed(file, **arrays)


def read_queries(folder: Path) -> QueryScores:
    """Reads the `queries.npz` of a folder."""
    values: dict = {}
    hashes: dict = {}
    with np.load(folder / QUERIES_FILE, allow_pickle=False) as file:
        for path in file.files:
            language, system, name = path.split("/")
            if system:
                values.setdefault(language, {}).setdefault(system, {})[name] = file[path]
            else:
                hashes.setdefault(language, {})[name] = file[path]
    return QueryScores(values, hashes)


def _hashes(texts: Iterable[str]) -> np.ndarray:
    return np.array([hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts], "S16")
