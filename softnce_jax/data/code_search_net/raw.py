"""CodeSearchNet's raw files, told by their content: functions of a language, and lists of urls.

Functions are in JSON lines, plain or gzipped, in zips of those, or in Parquet; lists are in text
files `LANGUAGE/SPLIT.txt`, or in a zip of those. Pickles are never read.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow.parquet as pq

from softnce_jax.data.code_search_net.records import COLUMNS
from softnce_jax.data.corpus import RowErrors
from softnce_jax.data.rows import (
    DAMAGE,
    Fields,
    UnusableRow,
    json_row,
    lines_of,
    parquet_rows,
    utf8,
)
from softnce_jax.errors import InputError, first_line

__all__ = ["LIST_NAMES", "Raw", "RawShard", "files_below", "find_raw", "read_list", "read_raw"]

# Split -> the name of its list.
LIST_NAMES = {"train": "train", "validation": "valid", "test": "test", "codebase": "codebase"}
SHARD_ROWS = 20_000  # of a Parquet file, read by one process
BEGINNING = 100  # rows in which a language is looked for
_SPLIT = re.compile(r"(?:^|[^a-z])(train|valid|validation|dev|test)(?:[^a-z]|$)")
_JSONL = (".jsonl", ".jsonl.gz", ".json", ".json.gz")


class RawShard(NamedTuple):
    """Functions that one process reads by itself.

    Attributes:
      path: of a file.
      member: the file in it, if it is a zip.
      groups: the row groups, from and to, if it is Parquet.
      split: train, validation or test, as published.
    """

    path: Path
    member: str | None
    groups: tuple[int, int] | None
    split: str

    @property
    def location(self) -> str:
        """Its name in messages."""
        groups = f" row groups {self.groups[0]} to {self.groups[1] - 1}" if self.groups else ""
        return f"{self.path}{f'!{self.member}' if self.member else ''}{groups}"


class Raw(NamedTuple):
    """The raw data of a language: shards in order, and (path, member) of each split's list."""

    shards: list[RawShard]
    lists: dict[str, tuple[Path, str | None]]


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, in an order that is the same everywhere."""
    if not folder.is_dir():
        raise InputError(f"--from {folder}: no such folder")
    folder = folder.resolve()
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.relative_to(folder).parts)


def find_raw(files: Iterable[Path], language: str) -> Raw:
    """Finds the functions and lists of a language in files; only their beginnings are read.

    Raises:
      InputError: a file that is not whole, or functions whose split no name tells.
    """
    raw = Raw([], {})
    for path in files:
        _add_file(path, language, raw)
    return raw


def _add_file(path: Path, language: str, raw: Raw) -> None:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        _add_parquet(path, language, raw)
    elif magic == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                members = sorted(archive.namelist())
        except DAMAGE as error:
            raise InputError(f"{path}: not a whole zip: {first_line(error)}") from error
        for member in members:
            _add_text(path, member, language, raw)
    else:
        _add_text(path, None, language, raw)


def _add_text(path: Path, member: str | None, language: str, raw: Raw) -> None:
    name = PurePosixPath(member) if member else PurePosixPath(path.as_posix())
    if name.suffix == ".txt" and name.parent.name == language:
        split = next((split for split, stem in LIST_NAMES.items() if stem == name.stem), None)
        if split is not None:
            raw.lists.setdefault(split, (path, member))
    elif name.name.endswith(_JSONL) and _language(_json_rows(path, member)) == language:
        raw.shards.append(RawShard(path, member, None, _split_of(name, path)))


def _add_parquet(path: Path, language: str, raw: Raw) -> None:
    if _language(_parquet_rows(path, None)) != language:
        return
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    split = _split_of(PurePosixPath(path.as_posix()), path)
    start = rows = 0
    for number, size in enumerate(sizes, start=1):
        rows += size
        if rows >= SHARD_ROWS or number == len(sizes):
            raw.shards.append(RawShard(path, None, (start, number), split))
            start, rows = number, 0


def _language(rows: Iterator[tuple[str, Fields | str]]) -> str | None:
    """The language that the first row has of those at a file's beginning, None if none has."""
    with contextlib.closing(rows):
        for _, row in itertools.islice(rows, BEGINNING):
            if isinstance(row, dict) and isinstance(language := row.get("language"), str):
                return language
    return None


def _split_of(name: PurePosixPath, path: Path) -> str:
    """The split that a file's name tells, or else that of the nearest folder."""
    for part in name.parts[:-4:-1]:  # names further up are of the user's own folders
        if (match := _SPLIT.search(part.lower())) is not None:
            return {"valid": "validation", "dev": "validation"}.get(match[1], match[1])
    raise InputError(
        f"{path}: functions, but neither its name nor its folder's says train, valid or test (what "
        "is split already, with codebase.jsonl, is trained on with --data FOLDER)"
    )


def read_raw(shard: RawShard) -> Iterator[tuple[str, Fields | str]]:
    """Yields the location (file:line) of each row of a shard and the row; or why it is none.

    Raises:
      InputError: the file is not whole.
    """
    if shard.groups is None:
        return _json_rows(shard.path, shard.member)
    return _parquet_rows(shard.path, range(*shard.groups))


def _json_rows(path: Path, member: str | None) -> Iterator[tuple[str, Fields | str]]:
    skipped = RowErrors()
    for location, line in lines_of(path, skipped, member=member):
        yield from _reasons(skipped)
        try:
            if (row := json_row(line)) is not None:
                yield location, row
        except UnusableRow as error:
            yield location, f"{error}"
    yield from _reasons(skipped)


def _parquet_rows(path: Path, groups: range | None) -> Iterator[tuple[str, Fields | str]]:
    skipped = RowErrors()
    for location, row in parquet_rows(path, skipped, columns=COLUMNS, groups=groups):
        yield from _reasons(skipped)
        yield location, row
    yield from _reasons(skipped)


def _reasons(skipped: RowErrors) -> Iterator[tuple[str, str]]:
    """Takes out the rows that were skipped since, each with the location of the first like it."""
    for reason in skipped.count.elements():
        yield skipped.first[reason], reason
    skipped.count.clear()


def read_list(path: Path, member: str | None) -> list[str]:
    """The urls of a list, in its order. Raises InputError where one is not UTF-8, by its line."""
    urls = []
    for location, line in lines_of(path, RowErrors(strict=True), member=member):
        try:
            urls.append(utf8(line).strip())
        except UnusableRow as error:
            raise InputError(f"{location}: {error}") from None
    return [url for url in urls if url]
