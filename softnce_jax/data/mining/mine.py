"""From a source tree to training data: files, functions, distinct pairs, splits, a report.

Files are read in several processes. The pairs are staged on disk; a few hundred bytes of each stay
in memory until the splits are known. Then the staged rows are written to their splits.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from softnce_jax.data.mining import dedup
from softnce_jax.data.mining.files import SourceFile, read_regular, read_source, source_files
from softnce_jax.data.mining.functions import functions
from softnce_jax.data.mining.report import Counts, format_report
from softnce_jax.errors import InputError
from softnce_jax.files import printable, to_path, whole_file, whole_folder, write_json
from softnce_jax.languages import LANGUAGES
from softnce_jax.processes import imap, usable_cores

__all__ = ["mine"]

log = logging.getLogger(__name__)

CHUNK = 16  # files that a process reads at once
LARGEST_CONFIG = 1_000_000  # bytes of .git/config that are read
FEW_FILES = 100  # which take no longer than starting processes

SplitBy = Literal["file", "folder"]


def mine(
    path: str,
    *,
    language: str,
    out: str,
    split_by: SplitBy = "file",
    processes: int | None = None,
) -> Path:
    """Mines a tree, writes the data and logs the report.

    Args:
      path: the folder to read.
      language: of the functions.
      out: where the data go: a folder of the language's name is made in it.
      split_by: what is never split: a file, or a folder below `path` (and each repository in it).
      processes: that work at once; by default one a core.

    Returns:
      The folder written: `{train,valid,test,codebase}.jsonl` and `report.json`.

    Raises:
      InputError: an unknown language, no such folder, a folder that exists, too few pairs.
    """
    folder = to_path(out) / language
    _check(path, language, folder)
    started = time.perf_counter()
    is_new = not folder.parent.exists()
    try:
        with whole_folder(folder, exclusive=True) as unfinished:
            report = _mine_into(unfinished, path, language, split_by, processes)
    except FileExistsError:  # another run has finished meanwhile
        raise _taken(folder) from None
    except BaseException:
        if is_new:  # leave nothing, unless others have put something there
            with contextlib.suppress(OSError):
                folder.parent.rmdir()
        raise
    count, seconds = report["functions"]["found"], time.perf_counter() - started
    log.info(format_report(report))
    log.info(f"{count} functions in {seconds:.1f} s, {count / seconds:.0f} a second: {folder}")
    flags = f"--lang {language} --data {out} --encoder tiny"
    log.info(f"next: python experiments/finetune.py {flags}")
    return folder


def _check(path: str, language: str, folder: Path) -> None:
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(f"unknown language {language!r}: --lang takes {known}")
    if "://" in path or path.startswith("git@"):
        raise InputError(f"{path}: clone it first, then give the folder")
    if not to_path(path).is_dir():
        raise InputError(f"{path}: no such folder")
    if folder.exists():
        raise _taken(folder)


def _taken(folder: Path) -> InputError:
    return InputError(f"{folder} exists: remove it or choose another --out")


def _mine_into(
    folder: Path, path: str, language: str, split_by: SplitBy, processes: int | None
) -> dict[str, Any]:
    """Writes the data of a tree into a folder; returns the report, which is written beside them."""
    root = os.path.realpath(to_path(path))
    counts = Counts()
    sources = list(source_files(root, language, counts))
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        staging = _Staging(Path(temporary))
        rows = _read_all(sources, counts, language, split_by, processes)
        staging.fill(_without_duplicates(rows, counts))
        groups = dedup.near_duplicates(staging.signatures())
        sizes = Counter(groups.find(i) for i in range(len(staging.units)))
        try:
            splits = dedup.split(staging.units, groups)
        except InputError as error:
            raise InputError(f"{path}: {error}{_most_dropped(counts)}") from error
        _write_splits(folder, zip(staging.lines(), splits, strict=True))
    pairs = {name: splits.count(name) for name in ("train", "valid", "test")}
    report = {
        "path": path,
        "remote": _remote(root),
        "language": language,
        "split_by": split_by,
        **counts.as_dict(),
        "near-duplicates": {
            "groups": sum(size > 1 for size in sizes.values()),
            "functions in them": sum(size for size in sizes.values() if size > 1),
            "the largest": max(sizes.values()),
        },
        "pairs": pairs | {"candidates": pairs["valid"] + pairs["test"]},
    }
    write_json(folder / "report.json", report)
    return report


class _Row(NamedTuple):
    """A pair as it is staged.

    Attributes:
      unit: the file or repository that is never split.
      line: the pair as JSON.
      code: a hash of its code without white space.
      query: a hash of its query without case.
      signature: the MinHash signature of its code.
    """

    unit: str
    line: str
    code: bytes
    query: bytes
    signature: bytes


def _read_all(
    sources: Sequence[SourceFile],
    counts: Counts,
    language: str,
    split_by: SplitBy,
    processes: int | None,
) -> Iterator[_Row]:
    """Yields the rows of all files, in order, under a progress bar."""
    are_few = len(sources) <= FEW_FILES
    processes = processes or (1 if are_few else usable_cores())
    chunks = [sources[start : start + CHUNK] for start in range(0, len(sources), CHUNK)]
    read = functools.partial(_read_chunk, language=language, split_by=split_by)
    interval = 0.2 if sys.stderr.isatty() else 20
    with tqdm(total=len(sources), unit="file", disable=are_few, mininterval=interval) as bar:
        try:
            results = imap(read, chunks, processes)
            for chunk, (rows, chunk_counts) in zip(chunks, results, strict=True):
                counts.add(chunk_counts)
                yield from rows
                bar.update(len(chunk))
        except BrokenProcessPool as error:
            raise InputError("a process died; try --processes 1") from error


def _read_chunk(
    sources: Sequence[SourceFile], language: str, split_by: SplitBy
) -> tuple[list[_Row], Counts]:
    """The rows of some files, and what was kept and dropped in them."""
    rows, counts = [], Counts()
    for source in sources:
        text, reason = read_source(source)
        if text is None:
            counts.drop("files", reason, source.name)
            continue
        counts.keep("files")
        unit = source.name if split_by == "file" else source.repository
        for function in functions(text, language, counts, source.name):
            fields = {
                "url": f"{source.name}#L{function.first}-L{function.last}",
                "path": source.name,
                "func_name": function.name,
                "language": language,
                "docstring": function.query,
                "code": function.code,
            }
            code = _hash("".join(function.code.split()))
            query = _hash(function.query.casefold())
            signature = dedup.signature(function.code).tobytes()
            rows.append(_Row(unit, json.dumps(fields), code, query, signature))
    return rows, counts


def _hash(text: str) -> bytes:
    """16 bytes, because those of all pairs are in memory."""
    return hashlib.sha256(text.encode()).digest()[:16]


def _without_duplicates(rows: Iterable[_Row], counts: Counts) -> Iterator[_Row]:
    """Yields the rows whose code and whose query no earlier row has.

    A query that several functions have is boilerplate: none of them answers it better than others.
    """
    codes: set[bytes] = set()
    queries: set[bytes] = set()
    for row in rows:
        if row.code not in codes and row.query not in queries:
            yield row
        else:
            is_copy = row.code in codes
            reason = "a duplicate" if is_copy else "the documentation of another function"
            counts.kept["functions"] -= 1
            counts.drop("functions", reason, json.loads(row.line)["url"])
        codes.add(row.code)
        queries.add(row.query)


class _Staging:
    """Pairs on disk, in order; in memory is only the unit of each.

    Attributes:
      units: the file or repository of each pair.
    """

    def __init__(self, folder: Path):
        self._rows, self._signatures = folder / "rows", folder / "signatures"
        self.units: list[str] = []

    def fill(self, rows: Iterable[_Row]) -> None:
        """Writes all rows, as they come."""
        with whole_file(self._rows, "w") as lines, whole_file(self._signatures) as signatures:
            for row in rows:
                lines.write(f"{row.line}\n")
                signatures.write(row.signature)
                self.units.append(row.unit)

    def signatures(self) -> np.ndarray:
        """(pairs, SIGNATURE) uint32, a mapped file."""
        shape = (len(self.units), dedup.SIGNATURE)
        if not self.units:
            return np.zeros(shape, np.uint32)  # empty files cannot be mapped
        return np.memmap(self._signatures, np.uint32, "r", shape=shape)

    def lines(self) -> Iterator[str]:
        """Yields each pair as JSON."""
        with open(self._rows, encoding="utf-8") as lines:
            yield from lines


def _write_splits(folder: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Writes each line to its split, and the functions of valid and test to the codebase."""
    with contextlib.ExitStack() as stack:
        files = {
            name: stack.enter_context(whole_file(folder / f"{name}.jsonl", "w"))
            for name in ("train", "valid", "test", "codebase")
        }
        for line, split in rows:
            files[split].write(line)
            if split != "train":
                candidate = json.loads(line)
                del candidate["docstring"]
                files["codebase"].write(f"{json.dumps(candidate)}\n")


def _most_dropped(counts: Counts) -> str:
    """Why most functions, or else files, were dropped: the end of an error message."""
    numbers = counts.as_dict()
    for kind in ("functions", "files"):
        of_kind = numbers.get(kind, {"found": 0, "dropped": {}})
        if of_kind["dropped"]:
            reason, dropped = next(iter(of_kind["dropped"].items()))
            return f"; of {of_kind['found']} {kind} {dropped['count']} were dropped for: {reason}"
    return ""


def _remote(root: str) -> str | None:
    """The address of the repository's `origin`, None if there is none.

    The file is read, since git itself would run programs that a repository's configuration names.
    """
    for folder in (Path(root), *Path(root).parents):
        if (folder / ".git").exists():
            try:
                config = read_regular(str(folder / ".git" / "config"), LARGEST_CONFIG)
            except OSError:
                return None
            return _origin(config.decode("utf-8", "replace"))
    return None


def _origin(config: str) -> str | None:
    r"""The address of `origin` in a git configuration, as `_without_secrets`.

    Example:
      >>> _origin('[remote "origin"]\n\turl = https://me:secret@host.org/a/b.git?token=1\n')
      'https://host.org/a/b.git'
    """
    is_origin = False
    for line in map(str.strip, config.split("\n")):
        key, _, url = line.partition("=")
        if line.startswith("["):
            is_origin = line.startswith('[remote "origin"]')
        elif is_origin and key.strip().lower() == "url" and url.strip():
            return _without_secrets(url.split()[0].strip('"'))
    return None


def _without_secrets(url: str) -> str | None:
    """An address without user, password, query and fragment; None where it is malformed.

    Example:
      >>> _without_secrets("git@host.org:a/b.git"), _without_secrets("https://me:p/w@host.org/a")
      ('host.org:a/b.git', None)
    """
    parts = re.fullmatch(r"((?:[\w.+:-]+://)?)([^/?#]*)([^?#]*)(.*)", url).groups()
    scheme, place, rest, end = parts
    place = place.rpartition("@")[2]
    if not scheme:  # host:path, or a folder of this machine
        return printable(place + rest)
    # A password with a slash or # in it ends the host too early; its rest is as a port.
    host = re.fullmatch(r"(?:[\w.-]*|\[[0-9a-fA-F:.]+\])(:\d+)?", place)
    if not host or (host[1] and "@" in rest + end):
        return None
    return printable(scheme + place + rest)
