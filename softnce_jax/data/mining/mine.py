"""From a source tree to a folder of pairs: files, functions, duplicates, splits, a report.

Files are read in processes of their own. What they find goes to a spool on disk; in memory stay a
few hundred bytes a pair, until the splits are known and the rows are written once more.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from softnce_jax.data.mining import duplicates, files
from softnce_jax.data.mining.config import Config
from softnce_jax.data.mining.files import Source, source_files
from softnce_jax.data.mining.functions import functions
from softnce_jax.data.mining.languages import LANGUAGES
from softnce_jax.data.mining.remote import remote_of
from softnce_jax.data.mining.report import Counts, table
from softnce_jax.data.mining.splits import split
from softnce_jax.dataflow.parallel import run
from softnce_jax.errors import InputError

CHUNK = 16  # files
FEW = 100  # files that take about as long as starting processes


class Row(NamedTuple):
    """A pair as it is spooled: its JSON, hashes of its code and query, and its signature."""

    home: str
    line: str
    code: bytes
    query: bytes
    signature: bytes


@dataclass
class Spool:
    """Pairs on disk, in order; of each, its file or folder in memory."""

    folder: Path
    homes: list[str] = field(default_factory=list)

    def fill(self, rows: Iterable[Row]) -> None:
        """Appends rows to the spool's two files."""
        with open(self.folder / "rows", "w") as lines, open(self.folder / "bands", "wb") as bands:
            for row in rows:
                lines.write(f"{row.line}\n")
                bands.write(row.signature)
                self.homes.append(row.home)

    def signatures(self) -> np.ndarray:
        """uint32, (pairs, BANDS * ROWS), mapped."""
        shape = (len(self.homes), duplicates.BANDS * duplicates.ROWS)
        if not self.homes:
            return np.zeros(shape, np.uint32)
        return np.memmap(self.folder / "bands", np.uint32, "r", shape=shape)

    def lines(self) -> Iterator[str]:
        """The rows' JSON."""
        with open(self.folder / "rows") as lines:
            yield from lines


def mine(config: Config) -> Path:
    """Mines a tree, writes the data and prints the report.

    Args:
      config: what the flags say.

    Returns:
      The folder written: `{train,valid,test,codebase}.jsonl` and `report.json`.

    Raises:
      InputError: an unknown language, no such folder, a folder that exists, too few pairs.
    """
    root, final = checked(config)
    started = time.perf_counter()
    made = not final.parent.exists()
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{config.lang}.", dir=final.parent))
    try:
        report = write(config, root, partial)
        partial.chmod(0o755)
        os.replace(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if made and not any(final.parent.iterdir()):
            final.parent.rmdir()
        raise
    print(table(report))
    found, seconds = report["functions"]["found"], time.perf_counter() - started
    print(f"{found} functions in {seconds:.1f} s, {found / seconds:.0f} a second: {final}")
    print(f"next: python experiments/finetune.py --lang {config.lang} --data {config.out}")
    return final


def checked(config: Config) -> tuple[str, Path]:
    """The root, absolute, and the folder to be made."""
    if config.lang not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(f"unknown language {config.lang!r}: --lang takes {known}")
    if "://" in config.path or config.path.startswith("git@"):
        raise InputError(f"{config.path}: clone it first, then give the folder")
    if not os.path.isdir(config.path):
        raise InputError(f"{config.path}: no such folder")
    final = Path(config.out) / config.lang
    if final.exists():
        raise InputError(f"{final} exists: remove it or choose another --out")
    return os.path.realpath(config.path), final


def write(config: Config, root: str, folder: Path) -> dict:
    """Writes the data into a folder; returns the report, written beside them."""
    counts = Counts()
    sources = list(source_files(root, LANGUAGES[config.lang], counts))
    with tempfile.TemporaryDirectory(dir=folder) as spooled:
        spool = Spool(Path(spooled))
        found = read_all(sources, config, counts)
        spool.fill(without_duplicates(found, counts))
        groups = duplicates.near_duplicates(spool.signatures())
        near = Counter(groups.of(place) for place in range(len(spool.homes)))
        try:
            names = split(spool.homes, groups)
        except InputError as error:
            raise InputError(f"{config.path}: {error}{most_dropped(counts)}") from error
        write_splits(folder, zip(spool.lines(), names, strict=True))
    sizes = {name: names.count(name) for name in ("train", "valid", "test")}
    report = {
        "path": config.path,
        "remote": remote_of(root),
        "language": config.lang,
        "split_by": config.split_by,
        **counts.as_dict(),
        "near-duplicates": {
            "groups": sum(size > 1 for size in near.values()),
            "functions in them": sum(size for size in near.values() if size > 1),
            "the largest": max(near.values()),
        },
        "pairs": sizes | {"candidates": sizes["valid"] + sizes["test"]},
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


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
            signature = duplicates.signature(found.code).tobytes()
            rows.append(Row(home, json.dumps(row), code, query, signature))
    return rows, counts


def hashed(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.sha256(text.encode()).digest()[:16]


def without_duplicates(rows: Iterable[Row], counts: Counts) -> Iterator[Row]:
    """The rows whose code no earlier row has, white space aside."""
    seen: set[bytes] = set()
    for row in rows:
        if row.code in seen:
            counts.kept["functions"] -= 1
            counts.drop("functions", "a duplicate", json.loads(row.line)["url"])
            continue
        seen.add(row.code)
        yield row


def write_splits(folder: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Writes each row to its split, and the candidates: the functions of valid and test."""
    names = ("train", "valid", "test", "codebase")
    opened = {name: open(folder / f"{name}.jsonl", "w", encoding="utf-8") for name in names}  # noqa: SIM115
    try:
        for line, name in rows:
            opened[name].write(line)
            if name != "train":
                row = json.loads(line)
                del row["docstring"]
                opened["codebase"].write(f"{json.dumps(row)}\n")
    finally:
        for file in opened.values():
            file.close()


def most_dropped(counts: Counts) -> str:
    """What most functions or files were dropped for, to be added to an error."""
    kinds = counts.as_dict()
    for kind in ("functions", "files"):
        numbers = kinds.get(kind, {"found": 0, "dropped": {}})
        if numbers["dropped"]:
            reason, first = next(iter(numbers["dropped"].items()))
            number = first["count"]
            return f"; of {numbers['found']} {kind} {number} were dropped for: {reason}"
    return ""
