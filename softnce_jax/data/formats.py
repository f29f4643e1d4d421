"""What a folder or file holds, told by its content: docs/data.md lists the formats."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from softnce_jax.data.corpus import RowErrors
from softnce_jax.errors import InputError

# The names under which a split may be found; the first is the published one.
NAMES = {
    "train": ("train",),
    "valid": ("valid", "dev", "validation"),
    "test": ("test",),
    "codebase": ("codebase",),
}
SPLITS = {name: split for split, names in NAMES.items() for name in names}
COLUMNS = ("split", "partition")  # of a table that is not split into files

Row = tuple[str, str, dict]  # its split, its place (file:line), its fields


class Source(NamedTuple):
    """Data of one format: every row with its split, and what the user should be told."""

    format: str
    rows: Callable[[RowErrors], Iterator[Row]]
    has_codebase: bool
    notes: tuple[str, ...] = ()


def find_source(path: Path) -> Source:
    """Finds which of the formats a folder or file has.

    Args:
      path: a file or folder of one language.

    Returns:
      The source; nothing but its first row has been read.

    Raises:
      InputError: nothing there, no format known here, or more than one.
    """
    if path.is_file():
        return _table(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; --data takes auto, sample, a folder or a file")
    found = [source for look in FORMATS if (source := look(path))]
    if len(found) > 1:
        raise InputError(
            f"{path} holds {found[0].format} and {found[1].format}: keep one, or give a file"
        )
    if not found:
        names = sorted(entry.name for entry in path.iterdir())
        shown = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
        raise InputError(
            f"{path}: no data here that is known ({shown or 'it is empty'}): give a folder with "
            "train.jsonl, valid.jsonl, test.jsonl and codebase.jsonl, or see docs/data.md"
        )
    return found[0]


def _split_files(root: Path) -> Source | None:
    """A file a split, or Parquet in numbered parts as on the Hub, here or in `data/`."""
    for folder in (root, root / "data"):
        files = {split: _files(folder, names) for split, names in NAMES.items()}
        if any(files.values()):
            kinds = {_end(path) for paths in files.values() for path in paths}
            return _from_files(" and ".join(sorted(kinds)) + " files, one a split", files)
    return None


def _files(folder: Path, names: tuple[str, ...]) -> list[Path]:
    whole = [path for name in names for end in ENDS if (path := folder / f"{name}{end}").is_file()]
    parts = [path for name in names for path in sorted(folder.glob(f"{name}-*-of-*.parquet"))]
    if len(whole) > 1 or (whole and parts):
        raise InputError(f"{whole[0]} and {[*whole, *parts][1].name} both exist: remove one")
    return whole or parts


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
    def rows(problems: RowErrors) -> Iterator[Row]:
        for split, paths in files.items():
            for path in paths:
                for place, row in read_rows(path, problems):
                    yield split, place, row

    return Source(format_, rows, has_codebase=bool(files["codebase"]))


def _cosqa(root: Path) -> Source | None:
    """CoSQA's retrieval benchmark: JSON lists of pairs, and the functions with their numbers."""
    functions = root / "code_idx_map.txt"
    lists = {path: path.name.split("-")[2] for path in root.glob("cosqa-retrieval-*-*.json")}
    if not functions.is_file() or not lists:
        return None

    def rows(_: RowErrors) -> Iterator[Row]:
        number = _json(functions)
        for path, split in sorted(lists.items()):
            for place, row in enumerate(_json(path), start=1):
                if row.get("label", 1) == 1:
                    url = str(number.get(row["code"], row.get("retrieval_idx")))
                    fields = {"url": url, "query": row["doc"], "code": row["code"]}
                    yield SPLITS[split], f"{path}#{place}", fields | {"language": "python"}
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
        return _unsplit(root, lambda _: _placed(root, data))

    def rows(_: RowErrors) -> Iterator[Row]:
        for name, part in data.items():
            if name not in SPLITS:
                raise InputError(
                    f"{root}: a split {name!r}: rename it to one of {', '.join(SPLITS)}"
                )
            for place, row in _placed(root / name, part):
                yield SPLITS[name], place, row

    return Source("a folder of Hugging Face datasets", rows, has_codebase="codebase" in data)


def _placed(root: Path, rows) -> Iterator[tuple[str, dict]]:
    return ((f"{root}:{number}", row) for number, row in enumerate(rows, start=1))


def _table(path: Path) -> Source:
    if not _end(path):
        raise InputError(f"{path}: --data takes a folder, or a file that ends in {', '.join(ENDS)}")
    return _unsplit(path, lambda problems: read_rows(path, problems))


def _unsplit(path: Path, read: Callable[[RowErrors], Iterator[tuple[str, dict]]]) -> Source:
    """A table of pairs; a column names the splits, or the code of a row decides."""
    _, first = next(read(RowErrors()), ("", {}))
    column = next((name for name in COLUMNS if name in first), None)

    def rows(problems: RowErrors) -> Iterator[Row]:
        for place, row in read(problems):
            split = _drawn(row) if column is None else SPLITS.get(row[column])
            if split is None:
                problems.add(f"a {column} that is none of {', '.join(SPLITS)}", place)
            else:
                yield split, place, row

    drawn = f"{path.name}: no column {' or '.join(COLUMNS)}: drew 80 % train, 10 % valid, 10 % test"
    return Source("a table", rows, has_codebase=False, notes=() if column else (drawn,))


def _drawn(row: dict) -> str:
    """A split that is the same for rows of one function, wherever they stand."""
    function = {name: value for name, value in row.items() if "code" in name} or row
    digest = hashlib.sha256(json.dumps(function, sort_keys=True, default=str).encode()).digest()
    return ("valid", "test", *["train"] * 8)[int.from_bytes(digest[:8]) % 10]


def _end(path: Path) -> str:
    return next((end for end in ENDS if path.name.endswith(end)), "")


def _json(path: Path):
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not whole JSON in UTF-8: {error}") from error


FORMATS = (_split_files, _raw, _cosqa, _datasets)


LARGEST_FIELD = 2**31 - 1  # of a CSV, in characters: a function may be longer than csv expects
BATCH = 1024  # rows of a Parquet file that are in memory at once


def read_rows(path: Path, problems: RowErrors) -> Iterator[tuple[str, dict]]:
    r"""Yields each row of a file with its place; nothing but one row, or a block, is in memory.

    Args:
      path: ends in one of `ENDS`. A CSV's first line names its columns.
      problems: takes the lines that are no rows.

    Yields:
      `file:line` (in Parquet `file:row`, from 1) and the row by column names.

    Raises:
      InputError: a file that is not whole or not what its name says.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "pairs.csv"
      >>> _ = path.write_text("query,code\nsort,def f(): ...\n")
      >>> [row for _, row in read_rows(path, RowErrors())]
      [{'query': 'sort', 'code': 'def f(): ...'}]
    """
    end = next(end for end in ENDS if path.name.endswith(end))
    return ENDS[end](path, problems)


def _json_rows(path: Path, problems: RowErrors) -> Iterator[tuple[str, dict]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield from _json_row(line, f"{path}:{number}", problems)
    except (EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a whole gzip file: {error}") from error


def _json_row(line: bytes, place: str, problems: RowErrors) -> Iterator[tuple[str, dict]]:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        problems.add("bytes that are not UTF-8", place)
    except json.JSONDecodeError as error:
        problems.add(f"malformed JSON: {error.msg}", place)
    else:
        if isinstance(row, dict):
            yield place, row
        else:
            problems.add("not a JSON object", place)


def _csv_rows(path: Path, problems: RowErrors) -> Iterator[tuple[str, dict]]:
    csv.field_size_limit(LARGEST_FIELD)
    with open(path, encoding="utf-8-sig", newline="") as file:  # spreadsheets write the mark
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
            place = f"{path}:{rows.line_num}"
            if None in row or None in row.values():
                problems.add(f"not {len(rows.fieldnames)} fields, as the first line has", place)
            else:
                yield place, row


def _parquet_rows(path: Path, problems: RowErrors) -> Iterator[tuple[str, dict]]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:{number}", row
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a whole Parquet file: {error}") from error


ENDS = {
    ".jsonl": _json_rows,
    ".jsonl.gz": _json_rows,
    ".csv": _csv_rows,
    ".parquet": _parquet_rows,
}
