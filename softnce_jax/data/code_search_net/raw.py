"""What files hold, told by their content: functions of a language, and lists of urls.

Functions lie in JSON lines, plain or gzipped, in Parquet, or in zips of the former; lists in text
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

# Split -> the name of its list.
LISTS = {"train": "train", "validation": "valid", "test": "test", "codebase": "codebase"}
SHARD_ROWS = 20_000  # of a Parquet file that one process takes at a time
BLOCK = 1_000  # of them that are in memory
_SPLIT = re.compile(r"(?:^|[^a-z])(train|valid|validation|dev|test)(?:[^a-z]|$)")
_JSONL = (".jsonl", ".jsonl.gz", ".json", ".json.gz")


class Shard(NamedTuple):
    """Some functions, which one process reads on its own.

    Attributes:
      path: of a file.
      member: of that file where it is a zip.
      groups: of rows, from and to, where it is Parquet.
      split: train, validation or test, as it was published.
    """

    path: Path
    member: str | None
    groups: tuple[int, int] | None
    split: str

    @property
    def place(self) -> str:
        """What messages call it."""
        groups = f" row groups {self.groups[0]} to {self.groups[1] - 1}" if self.groups else ""
        return f"{self.path}{f'!{self.member}' if self.member else ''}{groups}"


class Found(NamedTuple):
    """What files hold of a language: shards in order, and (path, member) of each split's list."""

    shards: list[Shard]
    lists: dict[str, tuple[Path, str | None]]


def look(files: Iterable[Path], language: str) -> Found:
    """Finds the functions and lists of a language in files; only their beginnings are read.

    Raises:
      InputError: a file that is not whole, or functions whose split nothing tells.
    """
    found = Found([], {})
    for path in files:
        _look_into(path, language, found)
    return found


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, in an order that is the same everywhere."""
    if not folder.is_dir():
        raise InputError(f"--from {folder}: no such folder")
    folder = folder.resolve()
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.relative_to(folder).parts)


def _look_into(path: Path, language: str, found: Found) -> None:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        _look_into_parquet(path, language, found)
    elif magic == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                for member in sorted(archive.namelist()):
                    _look_into_text(path, member, language, found)
        except zipfile.BadZipFile as error:
            raise InputError(f"{path}: not a whole zip: {error}") from error
    else:
        _look_into_text(path, None, language, found)


def _look_into_text(path: Path, member: str | None, language: str, found: Found) -> None:
    name = PurePosixPath(member) if member else PurePosixPath(path.as_posix())
    if name.suffix == ".txt" and name.parent.name == language:
        split = next((split for split, called in LISTS.items() if called == name.stem), None)
        if split is not None:
            found.lists.setdefault(split, (path, member))
    elif name.name.endswith(_JSONL) and _is_of(_first_json(path, member), language):
        found.shards.append(Shard(path, member, None, _split_of(name, path)))


def _look_into_parquet(path: Path, language: str, found: Found) -> None:
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in file.schema_arrow.names if name in COLUMNS]
            first = next(file.iter_batches(1, columns=columns), None)
            if first is None or not _is_of((first.to_pylist() or [None])[0], language):
                return
            sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a whole Parquet file: {error}") from error
    split = _split_of(PurePosixPath(path.as_posix()), path)
    start = rows = 0
    for number, size in enumerate(sizes, start=1):
        rows += size
        if rows >= SHARD_ROWS or number == len(sizes):
            found.shards.append(Shard(path, None, (start, number), split))
            start, rows = number, 0


def _is_of(row: Any, language: str) -> bool:
    return isinstance(row, dict) and row.get("language") == language


def _split_of(name: PurePosixPath, path: Path) -> str:
    """The split that a file's name tells, or else the nearest folder's."""
    for part in name.parts[:-4:-1]:  # not what lies above the data
        if (told := _SPLIT.search(part.lower())) is not None:
            return {"valid": "validation", "dev": "validation"}.get(told[1], told[1])
    raise InputError(
        f"{path}: functions, but neither its name nor its folder's says train, valid or test (what "
        "is split already, with codebase.jsonl, is trained on with --data FOLDER)"
    )


def _first_json(path: Path, member: str | None) -> Any:
    """The first object of JSON lines, None where there is none."""
    try:
        with _open(path, member) as lines:
            return json.loads(next((line for line in lines if line.strip()), b"null"))
    except (ValueError, OSError, EOFError, zlib.error):
        return None


def read(shard: Shard) -> Iterator[dict[str, Any] | None]:
    """The rows of a shard, None for a line that is no object; a block is in memory at most.

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
                for block in file.iter_batches(BLOCK, row_groups=groups, columns=columns):
                    yield from block.to_pylist()
    except (EOFError, OSError, zlib.error, zipfile.BadZipFile, pa.ArrowException) as error:
        raise InputError(f"{shard.place}: not whole: {error}") from error


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
    """A file, or a member of a zip, as bytes; unpacked on the way if it is gzipped."""
    with contextlib.ExitStack() as opened:
        file: Any = opened.enter_context(path.open("rb"))
        if member is not None:
            file = opened.enter_context(zipfile.ZipFile(file))
            file = opened.enter_context(file.open(member))
        if (member or path.name).endswith(".gz"):
            file = opened.enter_context(gzip.open(file, "rb"))
        yield file
