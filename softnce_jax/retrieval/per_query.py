"""queries.npz beside results.json: every metric of every query, for tests paired over queries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from softnce_jax.data.corpus import Pair

Values = Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]


class Queries(NamedTuple):
    """What every query got.

    Attributes:
      values: language → system → metric → (Q,) values.
      names: language → "query" and "family" → (Q,) hashes that tell which queries are the same.
    """

    values: Values
    names: Mapping[str, Mapping[str, np.ndarray]]


def names_of(pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Hashes of the queries' texts and of their families; a pair without one is its own.

    Example:
      >>> names_of([Pair("sort a list", "code", "url", "go", "sorting")])["family"].dtype
      dtype('S16')
    """

    def hashes(texts) -> np.ndarray:
        digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
        return np.array(digests, "S16")

    return {
        "query": hashes(pair.query for pair in pairs),
        "family": hashes(pair.family or pair.url for pair in pairs),
    }


def write_queries(folder: Path, queries: Queries) -> None:
    """Writes `queries.npz`: arrays called language/system/metric and language//name."""
    arrays = {
        f"{language}/{system}/{metric}": value_Q
        for language, systems in queries.values.items()
        for system, metrics in systems.items()
        for metric, value_Q in metrics.items()
    }
    arrays |= {
        f"{language}//{name}": hash_Q
        for language, names in queries.names.items()
        for name, hash_Q in names.items()
    }
    np.savez_compressed(folder / "queries.npz", **arrays)


def read_queries(folder: Path) -> Queries:
    """What `write_queries` wrote."""
    values: dict = {}
    names: dict = {}
    with np.load(folder / "queries.npz", allow_pickle=False) as file:
        for path in file.files:
            language, system, metric = path.split("/")
            if system:
                values.setdefault(language, {}).setdefault(system, {})[metric] = file[path]
            else:
                names.setdefault(language, {})[metric] = file[path]
    return Queries(values, names)
