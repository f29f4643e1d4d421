"""Hard negatives: functions of the training split that look right for a training query and are not.

They are kept as JSON lines, named by urls, so that they outlive another order of the data:

    {"hard_negatives": 1, "k": 2, "model": "bm25", ..., "train": {"go": "<hash of the pairs>"}}
    {"language": "go", "url": "a.go#Sort", "query": "sort a list", "score": 9.1,
     "negatives": ["b.go#Shuffle", "c.go#SortMap"], "scores": [8.7, 8.2]}

A query may have fewer than k.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from softnce_jax.data.corpus import Pair, RowErrors, functions_of
from softnce_jax.data.formats import read_rows
from softnce_jax.errors import InputError

FORMAT = 1  # under "hard_negatives"; raised when the same lines come to say something else


class HardNegatives(NamedTuple):
    """The hard negatives of R training pairs.

    Attributes:
      index_RK: int64, pairs whose functions are negatives of each pair.
      filled: how many of them are drawn at random, for the file has none there.
      hash: SHA-256 of the file.
      about: the file's first line.
    """

    index_RK: np.ndarray
    filled: int
    hash: str
    about: dict[str, Any]


def write_negatives(path: Path, about: dict[str, Any], rows: Iterable[dict[str, Any]]) -> None:
    """Writes the first line and a line for each query, the whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            for row in ({"hard_negatives": FORMAT, **about}, *rows):
                file.write(json.dumps(row) + "\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_negatives(
    name: str, pairs: Sequence[Pair], *, per_query: int | None = None, seed: int = 0
) -> HardNegatives:
    """The hard negatives of training pairs.

    Where a query has fewer, functions drawn at random take the places: they are what the other
    candidates of a batch are, arrays keep their shape, and nothing is embedded in vain.

    Args:
      name: a file that `write_negatives` wrote, zipped or not.
      pairs: R training pairs.
      per_query: K, the first of each query's; all by default.
      seed: of the functions drawn at random.

    Returns:
      The HardNegatives.

    Raises:
      InputError: no such file, not of these pairs (with the counts), or more wanted than it has.
    """
    path = Path(name)
    if not path.is_file() or not name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError(f"{path}: no such JSON lines; experiments/mine_negatives.py makes some")
    rows = read_rows(path, RowErrors(strict=True))
    about = first_line(path, rows)
    most = about["k"]
    per_query = most if per_query is None else per_query
    if not 0 < per_query <= most:
        raise InputError(f"--negatives-per-query {per_query}: {path} has {most} of a query")
    index_RK = places(path, about, rows, pairs, per_query)
    missing_RK = index_RK < 0
    drawn_RK = np.random.default_rng(seed).integers(0, len(pairs), index_RK.shape)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    index_RK = np.where(missing_RK, drawn_RK, index_RK)
    return HardNegatives(index_RK, int(missing_RK.sum()), digest, about)


def first_line(path: Path, rows: Iterator[tuple[str, dict]]) -> dict[str, Any]:
    """What a file says about itself. Raises InputError where it is no file of hard negatives."""
    _, about = next(rows, ("", {}))
    if about.get("hard_negatives") != FORMAT or not {"k", "train"} <= about.keys():
        raise InputError(
            f"{path}: its first line does not say that it holds hard negatives of format {FORMAT}; "
            "make it with experiments/mine_negatives.py"
        )
    return about


def places(
    path: Path,
    about: dict[str, Any],
    rows: Iterable[tuple[str, dict]],
    pairs: Sequence[Pair],
    per_query: int,
) -> np.ndarray:
    """(R, K) places of each pair's negatives among the pairs, -1 for none, if they are theirs."""
    hashes = training_hashes(pairs)
    first = {(pairs[r].language, pairs[r].url): r for r in functions_of(pairs).pair_M.tolist()}
    place = {(pair.language, pair.url, pair.query): r for r, pair in enumerate(pairs)}
    index_RK = np.full((len(pairs), per_query), -1)
    waiting, unknown = {*range(len(pairs))}, set()
    for where, row in rows:
        if row.get("language") not in hashes:
            continue
        row = checked(where, row)
        functions = [(row["language"], url) for url in [row["url"], *row["negatives"]]]
        unknown |= {function for function in functions if function not in first}
        at = place.get((*functions[0], row["query"]))
        if at is not None:
            found = [first.get(function, -1) for function in functions[1 : per_query + 1]]
            index_RK[at, : len(found)] = found
            waiting.discard(at)
    known = {language: about["train"].get(language) for language in hashes}
    if unknown or waiting or known != hashes:
        raise InputError(
            f"{path} was not mined from these training pairs: {len(unknown)} of its functions are "
            f"not among them, {len(waiting)} of {len(pairs)} queries are not in it"
            + ("" if unknown or waiting else ", and a text has changed")
            + "; mine again, with the same --data, --lang and --fold"
        )
    return index_RK


def checked(where: str, row: dict[str, Any]) -> dict[str, Any]:
    """The line of a query, if it has what it must."""
    texts = [row.get("url"), row.get("query")]
    negatives = row.get("negatives")
    if not isinstance(negatives, list) or not all(isinstance(t, str) for t in texts + negatives):
        raise InputError(f"{where}: not a url, a query and a list of negatives; mine again")
    return row


def training_hashes(pairs: Sequence[Pair]) -> dict[str, str]:
    """A hash of each language's pairs that does not depend on their order.

    Example:
      >>> a, b = Pair("sort", "f", "x", "go"), Pair("sum", "g", "y", "go")
      >>> training_hashes([a, b]) == training_hashes([b, a]) != training_hashes([a])
      True
    """
    rows: dict[str, list[bytes]] = {}
    for pair in pairs:
        text = json.dumps((pair.url, pair.query, pair.code))
        rows.setdefault(pair.language, []).append(hashlib.sha256(text.encode()).digest())
    return {
        language: hashlib.sha256(b"".join(sorted(digests))).hexdigest()
        for language, digests in rows.items()
    }
