"""The formats of data, told by the content of a folder or file; docs/data.md lists them.

`find_source` tries each of FORMATS; a new format is a function there. Below them stand the readers
of single files, by their endings.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from softnce_jax.data.corpus import RowErrors
from softnce_jax.errors import InputError

__all__ = ["Source", "find_source", "read_rows"]

# The names under which a split may be found; the first is the published one.
NAMES = {
    "train": ("train",),
    "valid": ("valid", "dev", "validation"),
    "test": ("test",),
    "codebase": ("codebase",),
}
SPLITS = {name: split for split, names in NAMES.items() for name in names}
SPLIT_COLUMNS = ("split", "partition")  # of a table that is not split into files
LARGEST_FIELD = 2**31 - 1  # of a CSV, in characters: a function may be longer than csv expects
PARQUET_BATCH = 1024  # rows in memory at once

Fields = dict[str, Any]
LocatedRow = tuple[str, Fields]  # its location (file:line), its fields
SplitRow = tuple[str, str, Fields]  # its split, its location, its fields


class Source(NamedTuple):
    """Data of one format.

    Attributes:
      format: its name, for messages.
      rows: yields every row with its split; takes the RowErrors for lines that are no rows.
      has_codebase: whether there are rows of the split `codebase`.
      notes: what the user should be told.
    """

    format: str
    rows: Callable[[RowErrors], Iterator[SplitRow]]
    has_codebase: bool
    notes: tuple[str, ...] = ()


def find_source(path: Path) -> Source:
    """Finds the format of a folder or file.

    Args:
      path: a file or folder of one language.

    Returns:
      The source; at most its first row has been read.

    Raises:
      InputError: nothing there, no known format, or more than one.
    """
    if path.is_file():
        return _table(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; --data takes auto, sample, a folder or a file")
    sources = [source for find in FORMATS if (source := find(path))]
    if len(sources) > 1:
        raise InputError(
            f"{path} holds {sources[0].format} and {sources[1].format}: keep one, or give a file"
        )
    if not sources:
        names = sorted(entry.name for entry in path.iterdir())
        shown = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
        raise InputError(
            f"{path}: no data here that is known ({shown or 'it is empty'}): give a folder with "
            "train.jsonl, valid.jsonl, test.jsonl and codebase.jsonl, or see docs/data.md"
        )
    return sources[0]


def _split_files(root: Path) -> Source | None:
    """A file for each split, or numbered Parquet files as on the Hub, here or in `data/`."""
    for folder in (root, root / "data"):
        files = {split: _files_of_split(folder, names) for split, names in NAMES.items()}
        if any(files.values()):
            endings = {_ending(path) for paths in files.values() for path in paths}
            return _from_files(" and ".join(sorted(endings)) + " files, one a split", files)
    return None


def _files_of_split(folder: Path, names: tuple[str, ...]) -> list[Path]:
    candidates = (folder / f"{name}{ending}" for name in names for ending in READERS)
    whole = [path for path in candidates if path.is_file()]
    numbered = [path for name in names for path in sorted(folder.glob(f"{name}-*-of-*.parquet"))]
    if len(whole) > 1 or (whole and numbered):
        raise InputError(f"{whole[0]} and {[*whole, *numbered][1].name} both exist: remove one")
    return whole or numbered


def _raw(root: Path) -> Source | None:
    """CodeSearchNet as it was published: `final/jsonl/train/ruby_train_0.jsonl.gz`."""
    for folder in (root / "final" / "jsonl", root / "jsonl", root):
        files = {
            split: [path for name in names for path in sorted((folder / name).glob("*.jsonl*"))]
            for split, names in NAMES.items()
        }
        if any(files.values()):
            return _from_files("raw CodeSearchNet", files)
    return None


def _from_files(format_: str, files: dict[str, list[Path]]) -> Source:
    def rows(row_errors: RowErrors) -> Iterator[SplitRow]:
        for split, paths in files.items():
            for path in paths:
                for location, row in read_rows(path, row_errors):
                    yield split, location, row

    return Source(format_, rows, has_codebase=bool(files["codebase"]))


def _cosqa(root: Path) -> Source | None:
    """CoSQA's retrieval benchmark: JSON lists of pairs, and the functions with their numbers."""
    functions = root / "code_idx_map.txt"
    lists = {path: path.name.split("-")[2] for path in root.glob("cosqa-retrieval-*-*.json")}
    if not functions.is_file() or not lists:
        return None

    def rows(_: RowErrors) -> Iterator[SplitRow]:
        number = _read_json(functions)
        for path, split in sorted(lists.items()):
            for n, row in enumerate(_read_json(path), start=1):
                if row.get("label", 1) == 1:
                    url = str(number.get(row["code"], row.get("retrieval_idx")))
                    fields = {"url": url, "query": row["doc"], "code": row["code"]}
                    yield SPLITS[split], f"{path}#{n}", fields | {"language": "python"}
        for code, url in number.items():
            fields = {"url": str(url), "code": code, "language": "python"}
            yield "codebase", f"{functions}#{url}", fields

    note = "CoSQA: pairs that people judged no answer (label 0) are left out"
    return Source("CoSQA", rows, has_codebase=True, notes=(note,))


def _datasets(root: Path) -> Source | None:
    """What `save_to_disk` of Hugging Face's datasets wrote."""
    if not any((root / name).is_file() for name in ("dataset_dict.json", "state.json")):
        return None
    try:
        import datasets
    except ImportError:
        raise InputError(
            f"{root}: a folder of Hugging Face datasets needs that library: pip install datasets"
        ) from None
    data = datasets.load_from_disk(str(root))
    if isinstance(data, datasets.Dataset):
        return _unsplit(root, lambda _: _numbered(root, data))

    def rows(_: RowErrors) -> Iterator[SplitRow]:
        for name, dataset in data.items():
            if name not in SPLITS:
                raise InputError(
                    f"{root}: a split {name!r}: rename it to one of {', '.join(SPLITS)}"
                )
            for location, row in _numbered(root / name, dataset):
                yield SPLITS[name], location, row

    return Source("a folder of Hugging Face datasets", rows, has_codebase="codebase" in data)


def _numbered(root: Path, rows: Iterable[Fields]) -> Iterator[LocatedRow]:
    return ((f"{root}:{number}", row) for number, row in enumerate(rows, start=1))


FORMATS = (_split_files, _raw, _cosqa, _datasets)


def _table(path: Path) -> Source:
    """A single file of pairs."""
    if not _ending(path):
        raise InputError(
            f"{path}: --data takes a folder, or a file that ends in {', '.join(READERS)}"
        )
    return _unsplit(path, lambda row_errors: read_rows(path, row_errors))


def _unsplit(path: Path, read: Callable[[RowErrors], Iterator[LocatedRow]]) -> Source:
    """A table of pairs; a column names the splits, or the code of a row decides."""
    _, first = next(read(RowErrors()), ("", {}))
    column = next((name for name in SPLIT_COLUMNS if name in first), None)

    def rows(row_errors: RowErrors) -> Iterator[SplitRow]:
        for location, row in read(row_errors):
            split = _split_by_hash(row) if column is None else SPLITS.get(row[column])
            if split is None:
                row_errors.add(f"a {column} that is none of {', '.join(SPLITS)}", location)
            else:
                yield split, location, row

    columns = " or ".join(SPLIT_COLUMNS)
    drawn = f"{path.name}: no column {columns}: drew 80 % train, 10 % valid, 10 % test"
    return Source("a table", rows, has_codebase=False, notes=() if column else (drawn,))


def _split_by_hash(row: Fields) -> str:
    """A split drawn by the row's code alone, so that no function is in two splits."""
    function = {name: value for name, value in row.items() if "code" in name} or row
    digest = hashlib.sha256(json.dumps(function, sort_keys=True, default=str).encode()).digest()
    return ("valid", "test", *["train"] * 8)[int.from_bytes(digest[:8]) % 10]


def read_rows(path: Path, row_errors: RowErrors) -> Iterator[LocatedRow]:
    r"""Yields each row of a file with its location; at most a block of rows is in memory.

    Args:
      path: ends in one of READERS. The first line of a CSV names its columns.
      row_errors: takes the lines that are no rows.

    Yields:
      The location `file:line` (in Parquet `file:row`, from 1), and the row by column names.

    Raises:
      InputError: a file that is not whole or not what its name says.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "pairs.csv"
      >>> _ = path.write_text("query,code\nsort,def f(): ...\n")
      >>> [row for _, row in read_rows(path, RowErrors())]
      [{'query': 'sort', 'code': 'def f(): ...'}]
    """
    return READERS[_ending(path)](path, row_errors)


def _ending(path: Path) -> str:
    return next((ending for ending in READERS if path.name.endswith(ending)), "")


def _json_rows(path: Path, row_errors: RowErrors) -> Iterator[LocatedRow]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield from _json_row(line, f"{path}:{number}", row_errors)
    except (EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a whole gzip file: {error}") from error


def _json_row(line: bytes, location: str, row_errors: RowErrors) -> Iterator[LocatedRow]:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        row_errors.add("bytes that are not UTF-8", location)
    except json.JSONDecodeError as error:
        row_errors.add(f"malformed JSON: {error.msg}", location)
    else:
        if isinstance(row, dict):
            yield location, row
        else:
            row_errors.add("not a JSON object", location)


def _csv_rows(path: Path, row_errors: RowErrors) -> Iterator[LocatedRow]:
    csv.field_size_limit(LARGEST_FIELD)
    # utf-8-sig, because spreadsheets begin a file with a byte order mark.
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        while True:
            try:
                row = next(rows, None)
            except (csv.Error, UnicodeDecodeError) as error:
                raise InputError(
                    f"{path}:{rows.line_num + 1}: not CSV in UTF-8: {error}"
                ) from error
            if row is None:
                return
            location = f"{path}:{rows.line_num}"
            if None in row or None in row.values():
                fields = len(rows.fieldnames)
                row_errors.add(f"not {fields} fields, as the first line has", location)
            else:
                yield location, row


def _parquet_rows(path: Path, _: RowErrors) -> Iterator[LocatedRow]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(PARQUET_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:{number}", row
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a whole Parquet file: {error}") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not whole JSON in UTF-8: {error}") from error


READERS = {
    ".jsonl": _json_rows,
    ".jsonl.gz": _json_rows,
    ".csv": _csv_rows,
    ".parquet": _parquet_rows,
}
