"""queries.npz beside results.json: every metric of every query, for tests paired over queries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.errors import InputError, first_line
from softnce_jax.files import whole_file

__all__ = ["QUERIES_FILE", "QueryScores", "query_hashes", "read_queries", "write_queries"]

QUERIES_FILE = "queries.npz"
LARGEST_QUERIES = 1 << 31  # bytes, unpacked


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
    """Reads the `queries.npz` of a folder.

    Raises:
      InputError: a damaged file, or arrays of other names, types, shapes or numbers than metrics
        have, 0 to 1; it names the array.
    """
    path = folder / QUERIES_FILE
    values: dict = {}
    hashes: dict = {}
    for key, array in _read_arrays(path).items():
        language, system, name = key.split("/") if key.count("/") == 2 else ("", "", "")
        if not language or not name:
            raise InputError(f"{path}: {key[:80]!r} is not the name of an array of queries")
        fits = np.issubdtype(array.dtype, np.floating) if system else array.dtype == "S16"
        if array.ndim != 1 or not fits:
            raise InputError(
                f"{path}: {key[:80]} is {array.dtype}{[*array.shape]}, no metric or hash"
            )
        # A mean of discounts may be above 1 by rounding; NaN is neither above nor below.
        if system and not ((array >= 0) & (array <= 1 + 1e-6)).all():
            raise InputError(f"{path}: {key[:80]} has numbers that are no metric's, 0 to 1")
        of = values.setdefault(language, {}).setdefault(system, {}) if system else hashes
        (of if system else of.setdefault(language, {}))[name] = array
    _check_lengths(path, values, hashes)
    return QueryScores(values, hashes)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            unpacked = sum(member.file_size for member in file.zip.infolist())
            if unpacked > LARGEST_QUERIES:
                raise ValueError(f"unpacks to {unpacked:,} bytes, more than {LARGEST_QUERIES:,}")
            return {key: file[key] for key in file.files}
    except Exception as error:  # damage raises many classes, memory that a header asks for another
        raise InputError(f"{path}: not a whole .npz of arrays ({first_line(error)})") from None


def _check_lengths(path: Path, values: Mapping, hashes: Mapping) -> None:
    """Raises InputError unless every array of a language has a number for each of its queries."""
    if not values:
        raise InputError(f"{path}: no metrics of queries")
    for language, systems in values.items():
        arrays = [array for metrics in systems.values() for array in metrics.values()]
        known = hashes.get(language, {})
        if not {"query", "family"} <= known.keys():
            raise InputError(
                f"{path}: {language[:80]}//query and {language[:80]}//family are missing"
            )
        if len({len(array) for array in (*arrays, *known.values())}) > 1 or not len(arrays[0]):
            raise InputError(f"{path}: arrays of {language[:80]} have different numbers of queries")


def _hashes(texts: Iterable[str]) -> np.ndarray:
    return np.array([hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts], "S16")
