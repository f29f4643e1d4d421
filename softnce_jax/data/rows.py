"""Rows of files: one reader for every format, and one rule for what is absent or odd.

A reader yields each row with its location. A line that is no row is counted in the RowErrors, by
file and line, and so is, in every format alike, a row of which a field is wanted that has another
type or is no text. What a file may take of memory is limited by LARGEST_ROW and LARGEST_FILE.

    absent    null, NaN, and an empty name (url, language, split, family)
    a name    a text without white space around it, or a number, which is its text
    no text   bytes that are not UTF-8, lone surrogates
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import lzma
import math
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from softnce_jax.data.corpus import RowErrors
from softnce_jax.errors import InputError, first_line

__all__ = [
    "DAMAGE",
    "READERS",
    "Fields",
    "LocatedRow",
    "UnusableRow",
    "arrow_rows",
    "as_name",
    "code_of",
    "csv_rows",
    "ending",
    "json_row",
    "lines_of",
    "name_of",
    "open_unpacked",
    "parquet_rows",
    "query_of",
    "read_rows",
    "shown_names",
    "source_of",
    "text_of",
    "url_of",
    "utf8",
]

# The fields that may hold a row's texts, the first that is there: CodeSearchNet's names, then those
# of its mirrors on the Hub. Fields of tokens come before fields of text.
URL = ("url", "func_code_url")
QUERY_TOKENS = ("docstring_tokens", "func_documentation_tokens")
QUERY_TEXT = ("docstring", "query", "func_documentation_string")
CODE_TOKENS = ("code_tokens", "func_code_tokens")
CODE_TEXT = ("code", "original_string", "func_code_string", "whole_func_string")
SOURCE = ("original_string", "whole_func_string", "code", "func_code_string")  # as written

LARGEST_ROW = 1 << 25  # bytes of a line, characters of a field
LARGEST_FILE = 1 << 34  # bytes that a file, or a member of a zip, may unpack to
LARGEST_RATIO = 1000  # of what Parquet unpacks to and its size, as gzip's; from SMALL_FILE up
SMALL_FILE = 1 << 29
PARQUET_ROWS = 16  # in memory at once: few, since each may be large; more would be no faster
CHUNK = 1 << 20  # bytes of a line that is too long, thrown away at once
SHOWN_NAMES = 12  # of a row's fields, in messages

# How files begin that are packed in a way that is not read.
PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
}
DAMAGE = (
    *(EOFError, OSError, RuntimeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
NOT_UTF8 = "bytes that are not UTF-8"
OTHER_TYPE = object()  # what a field holds whose type is not read

Fields = dict[str, Any]
LocatedRow = tuple[str, Fields]  # its location (file:line), its fields


class UnusableRow(Exception):
    """A row that is to be skipped; the message is the reason, for RowErrors."""


def query_of(row: Fields) -> str | None:
    """The query of a row, see `text_of`."""
    return text_of(row, QUERY_TEXT, tokens=QUERY_TOKENS)


def code_of(row: Fields) -> str | None:
    """The code of a row, see `text_of`."""
    return text_of(row, CODE_TEXT, tokens=CODE_TOKENS)


def source_of(row: Fields) -> str | None:
    """The function of a row as it was written, see `text_of`: GraphCodeBERT's, as published.

    None or "" where a row brings tokens alone, which do not parse once they are joined.
    """
    return text_of(row, SOURCE)


def url_of(row: Fields) -> str | None:
    """The name of a row's function, see `name_of`."""
    return name_of(row, *URL)


def text_of(row: Fields, names: tuple[str, ...], *, tokens: tuple[str, ...] = ()) -> str | None:
    """The first field of a row that has text.

    Args:
      row: by names of fields.
      names: of fields of text.
      tokens: names of fields with lists of tokens, joined by spaces; they come first.

    Returns:
      The text without white space around it; "" if the fields there are empty, None if there are
      none.

    Raises:
      UnusableRow: tokens that are none, or no text but another type.

    Example:
      >>> text_of({"query": None, "docstring": " sort a list"}, ("query", "docstring"))
      'sort a list'
    """
    found, wrong = None, None
    for name in (*tokens, *names):
        value = row.get(name)
        if name in tokens:  # CSV has them as text, which is no list
            value = _joined(value, name) if isinstance(value, list) and value else None
        if isinstance(value, str):
            found = value.strip()
            if found:
                return _characters(found)
        elif not _is_absent(value):
            wrong = name
    if found is None and wrong is not None:
        raise UnusableRow(f"a {wrong} that is no text")
    return found


def _joined(tokens: list[Any], name: str) -> str:
    try:
        return " ".join(tokens)
    except TypeError:
        return " ".join(as_name(token, f"token of {name}") or "" for token in tokens)


def name_of(row: Fields, *names: str) -> str | None:
    """The first field of a row that is not absent, as a name.

    Returns:
      A text that is not empty; None if all the fields are absent, null or empty.

    Raises:
      UnusableRow: neither text nor a number.

    Example:
      >>> name_of({"url": 7}, "url"), name_of({"url": " "}, "url"), name_of({}, "url")
      ('7', None, None)
    """
    for name in names:
        value = row.get(name)
        if not _is_absent(value) and (text := as_name(value, name)):
            return text
    return None


def as_name(value: Any, what: str) -> str:
    """A text, or the text of a number, without white space around it.

    Raises:
      UnusableRow: anything else.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise UnusableRow(f"a {what} that is neither text nor a number")
    return _characters(value.strip())


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _characters(text: str) -> str:
    """The text. Raises UnusableRow where it is none or too long."""
    if not _is_text(text):
        raise UnusableRow("a lone surrogate, which is no character")
    if len(text) > LARGEST_ROW:
        raise UnusableRow(f"a field of more than {LARGEST_ROW:,} characters")
    return text


def _is_text(text: str) -> bool:
    """Whether all of it are characters: JSON may hold, and Python does, what UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown_names(row: Fields) -> str:
    """The names of a row's fields for a message: printable, and not too many."""
    names = [
        "".join(c if c.isprintable() else "?" for c in str(name)[:40])
        for name in itertools.islice(row, SHOWN_NAMES)
    ]
    return ", ".join([*names, "..."] if len(row) > SHOWN_NAMES else names)


def read_rows(path: Path, row_errors: RowErrors) -> Iterator[LocatedRow]:
    r"""Yields each row of a file with its location; a few rows are in memory at once.

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
    return READERS[ending(path)](path, row_errors)


def ending(path: Path) -> str:
    """The ending of a file's name that is among READERS, "" if there is none."""
    return next((end for end in READERS if path.name.endswith(end)), "")


@contextlib.contextmanager
def open_unpacked(path: Path, member: str | None = None) -> Iterator[IO[bytes]]:
    """Opens a file, or a file in a zip, as bytes; gzipped ones are unpacked while they are read.

    Raises:
      InputError: from opening and from reading: a file that is damaged, encrypted or packed in a
        way that is not read.
    """
    name = member or path.name
    try:
        with contextlib.ExitStack() as opened:
            file: Any = opened.enter_context(path.open("rb"))
            if member is not None:
                file = opened.enter_context(zipfile.ZipFile(file))
                file = opened.enter_context(file.open(member))
            if name.endswith(".gz"):
                file = opened.enter_context(gzip.open(file, "rb"))
            elif member is None:
                _check_not_packed(path, file)
            yield file
    except InputError:
        raise
    except DAMAGE as error:
        kind = "gzip file" if name.endswith(".gz") else "file" if member is None else "zip"
        reason = getattr(error, "strerror", None) or first_line(error)
        raise InputError(f"{_place(path, member)}: not a whole {kind}: {reason}") from error


def _check_not_packed(path: Path, file: IO[bytes]) -> None:
    start = file.read(6)
    file.seek(0)
    for magic, kind in PACKED.items():
        # Three letters may begin a text, too: bzip2 goes on with a digit.
        if start.startswith(magic) and (kind != "bzip2" or start[3:4].isdigit()):
            advice = "name it .gz" if kind == "gzip" else "unpack it"
            raise InputError(f"{path}: a file packed by {kind}: {advice}")


def _place(path: Path, member: str | None) -> str:
    return f"{path}!{member}" if member else f"{path}"


def lines_of(
    path: Path, row_errors: RowErrors, *, member: str | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yields the location and the bytes of each line of a file; a line feed ends one, nothing else.

    Args:
      path: of a file, gzipped or not.
      row_errors: takes the lines that are too long.
      member: the file in it, if it is a zip.

    Raises:
      InputError: as `open_unpacked`, and a file that unpacks to more than LARGEST_FILE.
    """
    place, size = _place(path, member), 0
    is_packed = member is not None or path.name.endswith(".gz")
    with open_unpacked(path, member) as file:
        for number in itertools.count(1):
            line = file.readline(LARGEST_ROW + 1)
            if not line:
                return
            is_long = len(line) > LARGEST_ROW
            size += len(line)
            while is_long and line and not line.endswith(b"\n"):
                line = file.readline(CHUNK)
                size += len(line)
                _check_size(place, size, is_packed)
            _check_size(place, size, is_packed)
            if is_long:
                row_errors.add(f"a line of more than {LARGEST_ROW:,} bytes", f"{place}:{number}")
            else:
                yield f"{place}:{number}", line


def _check_size(place: str, size: int, is_packed: bool) -> None:
    if is_packed and size > LARGEST_FILE:
        raise InputError(f"{place}: unpacks to more than {LARGEST_FILE:,} bytes: split it")


def utf8(line: bytes) -> str:
    """The text of a line. Raises UnusableRow where it is not UTF-8."""
    try:
        # A byte order mark may begin a file, and a line where files were put end to end.
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableRow(NOT_UTF8) from None


def json_row(line: bytes) -> Fields | None:
    r"""The row of a line of JSON, None for an empty line.

    Raises:
      UnusableRow: not UTF-8, not JSON or no object.

    Example:
      >>> json_row(b'\xef\xbb\xbf{"url": "a"}'), json_row(b"\n")
      ({'url': 'a'}, None)
    """
    text = utf8(line).strip()
    try:
        row = json.loads(text) if text else None
    except json.JSONDecodeError as error:
        raise UnusableRow(f"malformed JSON: {error.msg}") from None
    except RecursionError:
        raise UnusableRow("malformed JSON: brackets nested too deep") from None
    except ValueError:  # Python's limit on digits
        raise UnusableRow("malformed JSON: an integer of too many digits") from None
    if text and not isinstance(row, dict):
        raise UnusableRow("not a JSON object")
    return row


def _json_rows(path: Path, row_errors: RowErrors) -> Iterator[LocatedRow]:
    for location, line in lines_of(path, row_errors):
        try:
            row = json_row(line)
        except UnusableRow as error:
            row_errors.add(f"{error}", location)
        else:
            if row is not None:
                yield location, row


def csv_rows(path: Path, row_errors: RowErrors) -> Iterator[LocatedRow]:
    """Yields each row of a CSV with the location of its last line; see `read_rows`."""
    csv.field_size_limit(LARGEST_ROW)
    with open_unpacked(path) as file:
        rows = csv.reader(_csv_lines(path, file), strict=True)
        header = [name.strip() for name in _csv_row(path, rows) or ()]
        if not _is_text("".join(header)):
            raise InputError(f"{path}:1: the names of the columns are not UTF-8")
        _check_columns(path, header)
        while (row := _csv_row(path, rows)) is not None:
            location = f"{path}:{rows.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                row_errors.add(f"not {len(header)} fields, as the first line has", location)
            elif not _is_text("".join(row)):
                row_errors.add(NOT_UTF8, location)
            else:
                yield location, dict(zip(header, row, strict=True))


def _check_columns(path: Path, names: list[str]) -> None:
    """Raises InputError where two columns have one name; a spreadsheet's may have none."""
    twice = next((name for name, count in Counter(names).items() if name and count > 1), None)
    if twice is not None:
        raise InputError(f"{path}: {names.count(twice)} columns {twice[:40]!r}: keep one")


def _csv_row(path: Path, rows: Any) -> list[str] | None:
    try:
        return next(rows, None)
    except csv.Error as error:
        line = rows.line_num + 1
        raise InputError(f"{path}:{line}: not CSV in UTF-8: {first_line(error)}") from error


def _csv_lines(path: Path, file: IO[bytes]) -> Iterator[str]:
    """The lines of a CSV. Bytes that are not UTF-8 become halves of surrogate pairs."""
    # utf-8-sig, because spreadsheets begin a file with a byte order mark.
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    for number in itertools.count(1):
        line = text.readline(LARGEST_ROW + 1)
        if len(line) > LARGEST_ROW:  # it may end within quotes, so what follows is lost as well
            raise InputError(f"{path}:{number}: a line of more than {LARGEST_ROW:,} characters")
        if not line:
            return
        yield line


def parquet_rows(
    path: Path,
    row_errors: RowErrors,
    *,
    columns: Container[str] | None = None,
    groups: range | None = None,
) -> Iterator[LocatedRow]:
    """Yields each row of a Parquet file with its location `file:row`.

    Args:
      path: of the file.
      row_errors: takes the rows whose text is not UTF-8.
      columns: those that are wanted, if they are there; by default all.
      groups: row groups, by default all; rows are counted from the file's first.

    Raises:
      InputError: a file that is not whole, or encrypted, or larger than LARGEST_FILE.
    """
    try:
        with pq.ParquetFile(path) as file:
            wanted = [f for f in file.schema_arrow if columns is None or f.name in columns]
            _check_columns(path, [field.name for field in wanted])
            plain = [field.name for field in wanted if _is_plain(field.type)]
            batches = file.iter_batches(PARQUET_ROWS, row_groups=groups, columns=plain)
            others = {field.name: OTHER_TYPE for field in wanted if not _is_plain(field.type)}
            skipped = sum(file.metadata.row_group(n).num_rows for n in range((groups or [0])[0]))
            for location, row in arrow_rows(path, _limited(path, batches), row_errors, skipped):
                yield location, row | others
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: not a whole Parquet file: {first_line(error)}") from error


def _limited(path: Path, batches: Iterable[Any]) -> Iterator[Any]:
    """The batches of a Parquet file. Raises InputError where they are more than it can hold.

    A value that stands in a dictionary once may be that of every row: 1 MB unpacks to 60 GB.
    """
    most = min(LARGEST_FILE, max(SMALL_FILE, LARGEST_RATIO * path.stat().st_size))
    size = 0
    for batch in batches:
        size += batch.nbytes
        if size > most:
            raise InputError(f"{path}: unpacks to more than {most:,} bytes: split it")
        yield batch


def arrow_rows(
    path: Path, batches: Iterable[Any], row_errors: RowErrors, skipped: int = 0
) -> Iterator[LocatedRow]:
    """Yields each row of Arrow's batches or tables, with the location `path:row`, from 1.

    Only texts, numbers and lists of those are read. Other fields are there, but are no text.

    Args:
      path: of the file.
      batches: of its rows.
      row_errors: takes the rows whose text is not UTF-8.
      skipped: rows before the first batch.
    """
    number = skipped
    for batch in batches:
        plain = [field.name for field in batch.schema if _is_plain(field.type)]
        others = dict.fromkeys({*batch.schema.names} - {*plain}, OTHER_TYPE)
        rows = _python_rows(batch.select(plain)) if plain else [{}] * batch.num_rows
        for row in rows:
            number += 1
            if row is None:
                row_errors.add(NOT_UTF8, f"{path}:{number}")
            else:
                yield f"{path}:{number}", row | others


def _python_rows(batch: Any) -> list[Fields | None]:
    """The rows of a batch, None for one of which a text is not UTF-8: Arrow does not look."""
    try:
        return batch.to_pylist()
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [None]
        return [_python_rows(batch.slice(n, 1))[0] for n in range(batch.num_rows)]


def _is_plain(type_: pa.DataType) -> bool:
    """Whether values are texts, numbers, truth values, or lists of those."""
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        type_ = type_.value_type
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    kinds = ("string", "large_string", "string_view", "integer", "floating", "boolean", "null")
    return any(getattr(pa.types, f"is_{kind}")(type_) for kind in kinds)


READERS = {
    ".jsonl": _json_rows,
    ".jsonl.gz": _json_rows,
    ".csv": csv_rows,
    ".parquet": parquet_rows,
}
