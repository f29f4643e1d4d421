"""CodeSearchNet's raw files, told by their content: functions of a language, and lists of urls.

Functions are in JSON lines, plain or gzipped, in zips of those, or in Parquet; lists are in text
files `LANGUAGE/SPLIT.txt`, or in a zip of those. Pickles are never read.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from softnce_jax.data.code_search_net.records import COLUMNS
from softnce_jax.errors import InputError

__all__ = ["LIST_NAMES", "Raw", "RawShard", "files_below", "find_raw", "read_list", "read_raw"]

# Split -> the name of its list.
LIST_NAMES = {"train": "train", "validation": "valid", "test": "test", "codebase": "codebase"}
SHARD_ROWS = 20_000  # of a Parquet file, read by one process
PARQUET_BATCH = 1_000  # rows in memory at once
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
                for member in sorted(archive.namelist()):
                    _add_text(path, member, language, raw)
        except zipfile.BadZipFile as error:
            raise InputError(f"{path}: not a whole zip: {error}") from error
    else:
        _add_text(path, None, language, raw)


def _add_text(path: Path, member: str | None, language: str, raw: Raw) -> None:
    name = PurePosixPath(member) if member else PurePosixPath(path.as_posix())
    if name.suffix == ".txt" and name.parent.name == language:
        split = next((split for split, stem in LIST_NAMES.items() if stem == name.stem), None)
        if split is not None:
            raw.lists.setdefault(split, (path, member))
    elif name.name.endswith(_JSONL) and _has_language(_first_json(path, member), language):
        raw.shards.append(RawShard(path, member, None, _split_of(name, path)))


def _add_parquet(path: Path, language: str, raw: Raw) -> None:
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name in COLUMNS]
            first = next(file.iter_batches(1, columns=columns), None)
            row = next(iter(first.to_pylist()), None) if first is not None else None
            if not _has_language(row, language):
                return
            sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a whole Parquet file: {error}") from error
    split = _split_of(PurePosixPath(path.as_posix()), path)
    start = rows = 0
    for number, size in enumerate(sizes, start=1):
        rows += size
        if rows >= SHARD_ROWS or number == len(sizes):
            raw.shards.append(RawShard(path, None, (start, number), split))
            start, rows = number, 0


def _has_language(row: Any, language: str) -> bool:
    return isinstance(row, dict) and row.get("language") == language


def _split_of(name: PurePosixPath, path: Path) -> str:
    """The split that a file's name tells, or else that of the nearest folder."""
    for part in name.parts[:-4:-1]:  # names further up are of the user's own folders
        if (match := _SPLIT.search(part.lower())) is not None:
            return {"valid": "validation", "dev": "validation"}.get(match[1], match[1])
    raise InputError(
        f"{path}: functions, but neither its name nor its folder's says train, valid or test (what "
        "is split already, with codebase.jsonl, is trained on with --data FOLDER)"
    )


def _first_json(path: Path, member: str | None) -> Any:
    """The first object of JSON lines, None if there is none."""
    try:
        with _open(path, member) as lines:
            return json.loads(next((line for line in lines if line.strip()), b"null"))
    except (ValueError, OSError, EOFError, zlib.error):
        return None


def read_raw(shard: RawShard) -> Iterator[dict[str, Any] | None]:
    """Yields the rows of a shard, None for a line that is no JSON object.

    Raises:
      InputError: the file is not whole.
    """
    try:
        if shard.groups is None:
            with _open(shard.path, shard.member) as lines:
                yield from (_row(line) for line in lines if line.strip())
        else:
            with pq.ParquetFile(shard.path) as file:
                columns = [name for name in file.schema_arrow.names if name in COLUMNS]
                groups = range(*shard.groups)
                batches = file.iter_batches(PARQUET_BATCH, row_groups=groups, columns=columns)
                for batch in batches:
                    yield from batch.to_pylist()
    except (EOFError, OSError, zlib.error, zipfile.BadZipFile, pa.ArrowException) as error:
        raise InputError(f"{shard.location}: not whole: {error}") from error


def read_list(path: Path, member: str | None) -> list[str]:
    """The urls of a list, in its order."""
    with _open(path, member) as lines:
        return [url for line in lines if (url := line.decode().strip())]


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


@contextlib.contextmanager
def _open(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    """Opens a file, or a file in a zip, as bytes; gzipped ones are unpacked while they are read."""
    with contextlib.ExitStack() as opened:
        file: Any = opened.enter_context(path.open("rb"))
        if member is not None:
            file = opened.enter_context(zipfile.ZipFile(file))
            file = opened.enter_context(file.open(member))
        if (member or path.name).endswith(".gz"):
            file = opened.enter_context(gzip.open(file, "rb"))
        yield file
