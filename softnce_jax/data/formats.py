"""The formats of data, told by the content of a folder or file; docs/data.md lists them.

`find_source` tries each of FORMATS; a new format is a function there. Single files are read by
`softnce_jax.data.rows`, by their endings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from softnce_jax.data.corpus import RowErrors
from softnce_jax.data.rows import (
    READERS,
    Fields,
    LocatedRow,
    UnusableRow,
    arrow_rows,
    code_of,
    ending,
    name_of,
    read_rows,
)
from softnce_jax.errors import InputError, first_line
from softnce_jax.files import read_json
from softnce_jax.languages import LANGUAGES

__all__ = ["Source", "find_source"]

# The names under which a split may be found; the first is the published one.
NAMES = {
    "train": ("train",),
    "valid": ("valid", "dev", "validation"),
    "test": ("test",),
    "codebase": ("codebase",),
}
SPLITS = {name: split for split, names in NAMES.items() for name in names}
SPLIT_COLUMNS = ("split", "partition")  # of a table that is not split into files
# Endings of files that are packed in a way that is not read; of gzip, what is not JSON lines.
PACKINGS = (".gz", ".bz2", ".xz", ".lzma", ".zst", ".lz4", ".br", ".zip", ".7z")
DATASETS_ROWS = 16  # in memory at once, see rows.PARQUET_ROWS

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
      The source. Of a single table all rows have been looked at, for the splits that they name.

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
        if there := [name for name in names if name in LANGUAGES]:
            raise InputError(f"{path}: no data of this language, but of {', '.join(there)}")
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
            endings = {ending(path) for paths in files.values() for path in paths}
            return _from_files(" and ".join(sorted(endings)) + " files, one a split", files)
    return None


def _files_of_split(folder: Path, names: tuple[str, ...]) -> list[Path]:
    candidates = (folder / f"{name}{ending}" for name in names for ending in READERS)
    whole = [path for path in candidates if path.is_file()]
    numbered = [path for name in names for path in sorted(folder.glob(f"{name}-*-of-*.parquet"))]
    if len(whole) > 1 or (whole and numbered):
        raise InputError(f"{whole[0]} and {[*whole, *numbered][1].name} both exist: remove one")
    if not whole and not numbered:
        _check_packing(path for name in names for path in sorted(folder.glob(f"{name}.*")))
    return whole or numbered


def _check_packing(paths: Iterable[Path]) -> None:
    """Raises InputError where one is data, but packed in a way that is not read."""
    for path in paths:
        unpacked = path.with_suffix("")
        if path.suffix in PACKINGS and ending(unpacked) and not unpacked.exists():
            raise InputError(f"{path}: packed in a way that is not read: unpack it")


def _raw(root: Path) -> Source | None:
    """CodeSearchNet as it was published: `final/jsonl/train/ruby_train_0.jsonl.gz`."""
    for folder in (root / "final" / "jsonl", root / "jsonl", root):
        files = {split: _raw_files(folder, names) for split, names in NAMES.items()}
        if any(files.values()):
            return _from_files("raw CodeSearchNet", files)
    return None


def _raw_files(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The JSON lines of a split; checksums and the like may lie beside them."""
    found = [path for name in names for path in sorted((folder / name).glob("*.jsonl*"))]
    files = [path for path in found if ending(path) and path.is_file()]
    _check_packing(path for path in found if path not in files)
    return files


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

    def rows(row_errors: RowErrors) -> Iterator[SplitRow]:
        number = _read_cosqa(functions, dict)
        for path, split in sorted(lists.items()):
            if split not in SPLITS:
                raise InputError(f"{path}: a split {split!r}: {', '.join(SPLITS)} are known")
            for n, row in enumerate(_read_cosqa(path, list), start=1):
                location = f"{path}#{n}"
                try:
                    if _is_answer(row):
                        yield SPLITS[split], location, _cosqa_pair(row, number)
                except UnusableRow as error:
                    row_errors.add(f"{error}", location)
        for n, (code, url) in enumerate(number.items(), start=1):
            fields = {"url": url, "code": code, "language": "python"}
            yield "codebase", f"{functions}#{n}", fields

    note = "CoSQA: pairs that people judged no answer (label 0) are left out"
    return Source("CoSQA", rows, has_codebase=True, notes=(note,))


def _read_cosqa(path: Path, type_: type) -> Any:
    content = read_json(path)
    if not isinstance(content, type_):
        kind = {list: "list of pairs", dict: "map of functions to numbers"}[type_]
        raise InputError(f"{path}: no {kind}, as CoSQA has it")
    return content


def _is_answer(row: Any) -> bool:
    """Whether people judged a pair an answer; those of the test split have no label."""
    if not isinstance(row, dict):
        raise UnusableRow("not a JSON object")
    label = name_of(row, "label") or "1"
    if label not in ("0", "1"):
        raise UnusableRow("a label that is neither 0 nor 1")
    return label == "1"


def _cosqa_pair(row: Fields, number: dict[str, Any]) -> Fields:
    code = row.get("code")
    url = number.get(code) if isinstance(code, str) else None
    return {
        "url": row.get("retrieval_idx") if url is None else url,
        "query": row.get("doc"),
        "code": code,
        "language": "python",
    }


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
    try:
        data = datasets.load_from_disk(str(root))
    except Exception as error:  # whatever damaged files make of the library
        raise _damaged_datasets(root, error) from error
    if isinstance(data, datasets.Dataset):
        return _unsplit(root, lambda row_errors: _dataset_rows(root, data, row_errors))

    def rows(row_errors: RowErrors) -> Iterator[SplitRow]:
        for name, dataset in data.items():
            if name not in SPLITS:
                raise InputError(
                    f"{root}: a split {name!r}: rename it to one of {', '.join(SPLITS)}"
                )
            for location, row in _dataset_rows(root / name, dataset, row_errors):
                yield SPLITS[name], location, row

    return Source("a folder of Hugging Face datasets", rows, has_codebase="codebase" in data)


def _dataset_rows(root: Path, dataset: Any, row_errors: RowErrors) -> Iterator[LocatedRow]:
    try:
        tables = dataset.with_format("arrow").iter(DATASETS_ROWS)
        yield from arrow_rows(root, tables, row_errors)
    except InputError:
        raise
    except Exception as error:
        raise _damaged_datasets(root, error) from error


def _damaged_datasets(root: Path, error: Exception) -> InputError:
    return InputError(f"{root}: not a whole folder of Hugging Face datasets: {first_line(error)}")


FORMATS = (_split_files, _raw, _cosqa, _datasets)


def _table(path: Path) -> Source:
    """A single file of pairs."""
    if not ending(path):
        raise InputError(
            f"{path}: --data takes a folder, or a file that ends in {', '.join(READERS)}"
        )
    return _unsplit(path, lambda row_errors: read_rows(path, row_errors))


def _unsplit(path: Path, read: Callable[[RowErrors], Iterator[LocatedRow]]) -> Source:
    """A table of pairs. A column names the splits if it does so in any row, else the code decides.

    So all rows are looked at first: in JSON lines a field may be absent from any of them.
    """
    found = {_named_split(row) for _, row in read(RowErrors())} - {None}
    columns = [name for name in SPLIT_COLUMNS if name in {column for column, _ in found}]

    def rows(row_errors: RowErrors) -> Iterator[SplitRow]:
        for location, row in read(row_errors):
            if not columns:
                yield _split_by_hash(row), location, row
                continue
            column, name = _named_split(row) or (columns[0], "")
            if name in SPLITS:
                yield SPLITS[name], location, row
            else:
                row_errors.add(f"a {column} that is none of {', '.join(SPLITS)}", location)

    drawn = f"no column {' or '.join(SPLIT_COLUMNS)}: drew 80 % train, 10 % valid, 10 % test"
    notes = () if columns else (f"{path.name}: {drawn}",)
    has_codebase = any(name == "codebase" for _, name in found)
    return Source("a table", rows, has_codebase=has_codebase, notes=notes)


def _named_split(row: Fields) -> tuple[str, str] | None:
    """The column that names the split of a row, and the name, "" for one of a wrong type."""
    for column in SPLIT_COLUMNS:
        try:
            name = name_of(row, column)
        except UnusableRow:
            return column, ""
        if name is not None:
            return column, name.lower()[:40]
    return None


def _split_by_hash(row: Fields) -> str:
    """A split drawn by the row's code alone, so that no function is in two splits."""
    try:
        code = code_of(row) or ""
    except UnusableRow:  # counted where rows become pairs
        code = ""
    digest = hashlib.sha256(code.encode()).digest()
    return ("valid", "test", *["train"] * 8)[int.from_bytes(digest[:8]) % 10]
