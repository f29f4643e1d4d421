"""The pairs of many files: read in processes of their own, under a progress bar."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from tqdm import tqdm

from softnce_jax.data.mining import dedup, files
from softnce_jax.data.mining.config import Config
from softnce_jax.data.mining.files import Source
from softnce_jax.data.mining.functions import functions
from softnce_jax.data.mining.report import Counts
from softnce_jax.errors import InputError
from softnce_jax.processes import run

CHUNK = 16  # files
FEW = 100  # files that take about as long as starting processes


class Row(NamedTuple):
    """A pair as it is spooled: its JSON, hashes of its code and query, and its signature."""

    home: str
    line: str
    code: bytes
    query: bytes
    signature: bytes


def read_all(sources: Sequence[Source], config: Config, counts: Counts) -> Iterator[Row]:
    """The rows of all files, in order, under a progress bar."""
    few = len(sources) <= FEW
    processes = config.processes or (1 if few else os.cpu_count() or 1)
    chunks = [sources[at : at + CHUNK] for at in range(0, len(sources), CHUNK)]
    work = functools.partial(read_chunk, language=config.lang, by=config.split_by)
    calm = 0.2 if sys.stderr.isatty() else 20
    with tqdm(total=len(sources), unit="file", disable=few, mininterval=calm) as bar:
        try:
            for chunk, (rows, counted) in zip(chunks, run(work, chunks, processes), strict=True):
                counts.add(counted)
                yield from rows
                bar.update(len(chunk))
        except BrokenProcessPool as error:
            raise InputError(f"{config.path}: a process died; try --processes 1") from error


def read_chunk(sources: Sequence[Source], language: str, by: str) -> tuple[list[Row], Counts]:
    """The rows of some files and what was counted in them."""
    rows, counts = [], Counts()
    for source in sources:
        data, reason = files.read(source)
        if data is None:
            counts.drop("files", reason, source.name)
            continue
        counts.keep("files")
        home = source.name if by == "file" else source.repository
        for found in functions(data, language, counts, source.name):
            row = {
                "url": f"{source.name}#L{found.first}-L{found.last}",
                "path": source.name,
                "func_name": found.name,
                "language": language,
                "docstring": found.query,
                "code": found.code,
            }
            code, query = hashed("".join(found.code.split())), hashed(found.query.casefold())
            signature = dedup.signature(found.code).tobytes()
            rows.append(Row(home, json.dumps(row), code, query, signature))
    return rows, counts


def hashed(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.sha256(text.encode()).digest()[:16]


def without_duplicates(rows: Iterable[Row], counts: Counts) -> Iterator[Row]:
    """The rows whose code and whose query no earlier row has; white space and case aside.

    A query of several functions is boilerplate, which none of them answers better than the others.
    """
    codes: set[bytes] = set()
    queries: set[bytes] = set()
    for row in rows:
        if row.code not in codes and row.query not in queries:
            yield row
        else:
            reason = "a duplicate" if row.code in codes else "the documentation of another function"
            counts.kept["functions"] -= 1
            counts.drop("functions", reason, json.loads(row.line)["url"])
        codes.add(row.code)
        queries.add(row.query)
