"""The rows of a file, one dictionary each: JSON lines, CSV or Parquet, told by its name's end."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from softnce_jax.data.problems import Problems
from softnce_jax.errors import InputError

LARGEST_FIELD = 2**31 - 1  # of a CSV, in characters: a function may be longer than csv expects
BATCH = 1024  # rows of a Parquet file that are in memory at once


def read_rows(path: Path, problems: Problems) -> Iterator[tuple[str, dict]]:
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
      >>> [row for _, row in read_rows(path, Problems())]
      [{'query': 'sort', 'code': 'def f(): ...'}]
    """
    end = next(end for end in ENDS if path.name.endswith(end))
    return ENDS[end](path, problems)


def _json_rows(path: Path, problems: Problems) -> Iterator[tuple[str, dict]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield from _json_row(line, f"{path}:{number}", problems)
    except (EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a whole gzip file: {error}") from error


def _json_row(line: bytes, place: str, problems: Problems) -> Iterator[tuple[str, dict]]:
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


def _csv_rows(path: Path, problems: Problems) -> Iterator[tuple[str, dict]]:
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


def _parquet_rows(path: Path, problems: Problems) -> Iterator[tuple[str, dict]]:
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
