"""Hard negatives: functions of the training split that look right for a training query and are not.

They are stored as JSON lines, and named by urls, so that they fit the data in any order:

    {"hard_negatives": 1, "k": 2, "model": "bm25", ..., "train": {"go": "<hash of the pairs>"}}
    {"language": "go", "url": "a.go#Sort", "query": "sort a list", "score": 9.1,
     "negatives": ["b.go#Shuffle", "c.go#SortMap"], "scores": [8.7, 8.2]}

A query may have fewer than k. Lines are read by the rules of `softnce_jax.data.rows`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from softnce_jax.data.corpus import Pair, RowErrors, code_texts, unique_functions
from softnce_jax.data.rows import (
    Fields,
    LocatedRow,
    UnusableRow,
    as_name,
    name_of,
    read_rows,
    text_of,
    url_of,
)
from softnce_jax.errors import InputError
from softnce_jax.files import file_digest, json_text, to_path, whole_file

__all__ = ["LARGEST_K", "HardNegatives", "read_negatives", "training_hashes", "write_negatives"]

FORMAT = 1  # under "hard_negatives"; raised when the meaning of the lines changes
LARGEST_K = 1_000  # a step embeds 1 + K functions a query


class HardNegatives(NamedTuple):
    """The hard negatives of R training pairs.

    Attributes:
      index_RK: int64, indices of pairs whose functions are the negatives of each pair.
      filled: how many of them were drawn at random, because the file has fewer.
      hash: SHA-256 of the file.
      about: the file's first line.
    """

    index_RK: np.ndarray
    filled: int
    hash: str
    about: dict[str, Any]


def write_negatives(path: Path, about: dict[str, Any], rows: Iterable[dict[str, Any]]) -> None:
    """Writes the first line and a line for each query."""
    with whole_file(path, "w") as file:
        for row in ({"hard_negatives": FORMAT, **about}, *rows):
            file.write(json_text(row) + "\n")


def read_negatives(
    name: str,
    pairs: Sequence[Pair],
    *,
    per_query: int | None = None,
    seed: int = 0,
    row_errors: RowErrors | None = None,
) -> HardNegatives:
    """Reads the hard negatives of training pairs.

    A query that has fewer than K gets functions drawn at random in their stead: what the other
    candidates of its batch are, too. So arrays keep their shape and no padding is embedded.

    Args:
      name: a file that `write_negatives` wrote, gzipped or not.
      pairs: R training pairs.
      per_query: K, the first of each query's; all by default.
      seed: of the functions drawn at random.
      row_errors: takes the lines that cannot be used; by default the first of them is an error.

    Returns:
      The HardNegatives.

    Raises:
      InputError: no such file, mined from other pairs (with the counts), or fewer than K of a
        query; a line that cannot be used, by file and line.
    """
    row_errors = RowErrors(strict=True) if row_errors is None else row_errors
    path = to_path(name)
    if not path.is_file() or not name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError(f"{path}: no such JSON lines; experiments/mine_negatives.py makes some")
    rows = read_rows(path, row_errors)
    about = _read_about(path, rows)
    k = about["k"]
    per_query = k if per_query is None else per_query
    if not 0 < per_query <= k:
        raise InputError(f"--negatives-per-query {per_query}: {path} has {k} of a query")
    index_RK = _negative_indices(path, about, rows, row_errors, pairs, per_query)
    missing_RK = index_RK < 0
    random_RK = np.random.default_rng(seed).integers(0, len(pairs), index_RK.shape)
    index_RK = np.where(missing_RK, random_RK, index_RK)
    return HardNegatives(index_RK, int(missing_RK.sum()), file_digest(path), about)


def _read_about(path: Path, rows: Iterator[LocatedRow]) -> dict[str, Any]:
    """The first line of a file. Raises InputError if it is not that of a file of negatives."""
    location, about = next(rows, ("", {}))
    if about.get("hard_negatives") != FORMAT or not {"k", "train"} <= about.keys():
        raise InputError(
            f"{path}: its first line does not say that it holds hard negatives of format {FORMAT}; "
            "make it with experiments/mine_negatives.py"
        )
    k = about["k"]
    if not isinstance(k, int) or isinstance(k, bool) or not 0 < k <= LARGEST_K:
        raise InputError(f"{location}: k is no whole number from 1 to {LARGEST_K:,}")
    if not isinstance(about["train"], dict):
        raise InputError(f"{location}: train holds no hashes of languages")
    return about


def _negative_indices(
    path: Path,
    about: dict[str, Any],
    rows: Iterable[LocatedRow],
    row_errors: RowErrors,
    pairs: Sequence[Pair],
    per_query: int,
) -> np.ndarray:
    """(R, K) indices of pairs, -1 for none. Raises InputError if the file is of other pairs."""
    hashes = training_hashes(pairs)
    functions = unique_functions(pairs)
    pair_of_function = {(pairs[r].language, pairs[r].url): r for r in functions.pair_M.tolist()}
    pair_of_row = {(pair.language, pair.url, pair.query): r for r, pair in enumerate(pairs)}
    index_RK = np.full((len(pairs), per_query), -1)
    missing, unknown = {*range(len(pairs))}, set()  # pairs not in the file, functions not in pairs
    for location, row in rows:
        try:
            parsed = _parse(row, [*hashes])
        except UnusableRow as error:
            row_errors.add(f"{error}", location)
            continue
        if parsed is None:
            continue
        language, url, query, urls = parsed
        negatives = [(language, url) for url in urls]
        unknown |= {(language, url), *negatives} - pair_of_function.keys()
        r = pair_of_row.get((language, url, query))
        if r is not None:
            indices = [pair_of_function.get(function, -1) for function in negatives[:per_query]]
            index_RK[r, : len(indices)] = indices
            missing.discard(r)
    recorded = {language: about["train"].get(language) for language in hashes}
    if unknown or missing or recorded != hashes:
        raise InputError(
            f"{path} was not mined from these training pairs: {len(unknown)} of its functions are "
            f"not among them, {len(missing)} of {len(pairs)} queries are not in it"
            + ("" if unknown or missing else ", and a text has changed")
            + "; mine again, with the same --data, --lang and --fold"
            + "".join(f"; {line}" for line in row_errors.lines())
        )
    return index_RK


def _parse(row: Fields, languages: list[str]) -> tuple[str, str, str, list[str]] | None:
    """The language, url, query and negatives of a line; None if it is of a language not trained on.

    A file may hold more of those. Without a language, a line is of the one that is trained on.

    Raises:
      UnusableRow: a field is missing or of another type.
    """
    language = (name_of(row, "language") or (languages[0] if len(languages) == 1 else "")).lower()
    if language and language not in languages:
        return None
    url, query, negatives = url_of(row), text_of(row, ("query",)), row.get("negatives")
    if not (language and url and query and isinstance(negatives, list)):
        raise UnusableRow("not a url, a query and a list of negatives; mine again")
    return language, url, query, [as_name(negative, "negative") for negative in negatives]


def training_hashes(pairs: Sequence[Pair]) -> dict[str, str]:
    """A hash of each language's pairs that does not depend on their order.

    Example:
      >>> a, b = Pair("sort", "f", "x", "go"), Pair("sum", "g", "y", "go")
      >>> training_hashes([a, b]) == training_hashes([b, a]) != training_hashes([a])
      True
    """
    digests: dict[str, list[bytes]] = {}
    for pair in pairs:
        text = json.dumps((pair.url, pair.query, *code_texts(pair)))
        digests.setdefault(pair.language, []).append(hashlib.sha256(text.encode()).digest())
    return {
        language: hashlib.sha256(b"".join(sorted(of_language))).hexdigest()
        for language, of_language in digests.items()
    }
