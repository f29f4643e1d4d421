"""From a source tree to a folder of pairs: files, functions, duplicates, splits, a report.

Files are read in processes of their own. What they find goes to a spool on disk; in memory stay a
few hundred bytes a pair, until the splits are known and the rows are written once more.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from softnce_jax.data.mining import dedup, files
from softnce_jax.data.mining.dedup import split
from softnce_jax.data.mining.files import Source, source_files
from softnce_jax.data.mining.functions import functions
from softnce_jax.data.mining.languages import LANGUAGES
from softnce_jax.data.mining.report import Counts, table
from softnce_jax.errors import InputError
from softnce_jax.files import write_json
from softnce_jax.processes import run


def mine(
    path: str,
    *,
    language: str,
    out: str,
    split_by: Literal["file", "folder"] = "file",
    processes: int | None = None,
) -> Path:
    """Mines a tree, writes the data and prints the report.

    Args:
      path: the folder to read.
      language: of the functions.
      out: where the data go: a folder of the language's name is made in it.
      split_by: what is never split: a file, or a folder below `path` (and each repository in it).
      processes: at work; by default one a core.

    Returns:
      The folder written: `{train,valid,test,codebase}.jsonl` and `report.json`.

    Raises:
      InputError: an unknown language, no such folder, a folder that exists, too few pairs.
    """
    root, final = checked(path, language, out)
    started = time.perf_counter()
    made = not final.parent.exists()
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{language}.", dir=final.parent))
    try:
        report = write(path, root, partial, language, split_by, processes)
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
    flags = f"--lang {language} --data {out} --encoder tiny"
    print(f"next: python experiments/finetune.py {flags}")
    return final


def checked(path: str, language: str, out: str) -> tuple[str, Path]:
    """The root, absolute, and the folder to be made."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(f"unknown language {language!r}: --lang takes {known}")
    if "://" in path or path.startswith("git@"):
        raise InputError(f"{path}: clone it first, then give the folder")
    if not os.path.isdir(path):
        raise InputError(f"{path}: no such folder")
    final = Path(out) / language
    if final.exists():
        raise InputError(f"{final} exists: remove it or choose another --out")
    return os.path.realpath(path), final


def write(
    path: str, root: str, folder: Path, language: str, split_by: str, processes: int | None
) -> dict:
    """Writes the data into a folder; returns the report, written beside them."""
    counts = Counts()
    sources = list(source_files(root, LANGUAGES[language], counts))
    with tempfile.TemporaryDirectory(dir=folder) as spooled:
        spool = Spool(Path(spooled))
        found = read_all(sources, counts, language, split_by, processes)
        spool.fill(without_duplicates(found, counts))
        groups = dedup.near_duplicates(spool.signatures())
        near = Counter(groups.of(place) for place in range(len(spool.homes)))
        try:
            names = split(spool.homes, groups)
        except InputError as error:
            raise InputError(f"{path}: {error}{most_dropped(counts)}") from error
        write_splits(folder, zip(spool.lines(), names, strict=True))
    sizes = {name: names.count(name) for name in ("train", "valid", "test")}
    report = {
        "path": path,
        "remote": remote_of(root),
        "language": language,
        "split_by": split_by,
        **counts.as_dict(),
        "near-duplicates": {
            "groups": sum(size > 1 for size in near.values()),
            "functions in them": sum(size for size in near.values() if size > 1),
            "the largest": max(near.values()),
        },
        "pairs": sizes | {"candidates": sizes["valid"] + sizes["test"]},
    }
    write_json(folder / "report.json", report)
    return report


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


CHUNK = 16  # files
FEW = 100  # files that take about as long as starting processes


class Row(NamedTuple):
    """A pair as it is spooled: its JSON, hashes of its code and query, and its signature."""

    home: str
    line: str
    code: bytes
    query: bytes
    signature: bytes


def read_all(
    sources: Sequence[Source], counts: Counts, language: str, split_by: str, processes: int | None
) -> Iterator[Row]:
    """The rows of all files, in order, under a progress bar."""
    few = len(sources) <= FEW
    processes = processes or (1 if few else os.cpu_count() or 1)
    chunks = [sources[at : at + CHUNK] for at in range(0, len(sources), CHUNK)]
    work = functools.partial(read_chunk, language=language, by=split_by)
    calm = 0.2 if sys.stderr.isatty() else 20
    with tqdm(total=len(sources), unit="file", disable=few, mininterval=calm) as bar:
        try:
            for chunk, (rows, counted) in zip(chunks, run(work, chunks, processes), strict=True):
                counts.add(counted)
                yield from rows
                bar.update(len(chunk))
        except BrokenProcessPool as error:
            raise InputError("a process died; try --processes 1") from error


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
        shape = (len(self.homes), dedup.BANDS * dedup.ROWS)
        if not self.homes:
            return np.zeros(shape, np.uint32)
        return np.memmap(self.folder / "bands", np.uint32, "r", shape=shape)

    def lines(self) -> Iterator[str]:
        """The rows' JSON."""
        with open(self.folder / "rows") as lines:
            yield from lines


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


def remote_of(root: str) -> str | None:
    """The address of `origin`, without a user's name or password; None where none is known."""
    for folder in (Path(root), *Path(root).parents):
        if (folder / ".git").exists():
            try:
                text = (folder / ".git" / "config").read_text("utf-8", "replace")
            except OSError:
                return None
            return origin(text)
    return None


def origin(config: str) -> str | None:
    r"""The address of `origin` in the text of a configuration.

    Example:
      >>> origin('[remote "origin"]\n\turl = https://me:secret@host.org/a/b.git\n')
      'https://host.org/a/b.git'
    """
    section = re.search(r'^\[remote "origin"\]\n((?:[^\[\n].*\n?|\n)*)', config, re.MULTILINE)
    url = section and re.search(r"^\s*url\s*=\s*(\S+)", section[1], re.MULTILINE)
    return re.sub(r"^(\w+://)[^/@]*@", r"\1", url[1]) if url else None
