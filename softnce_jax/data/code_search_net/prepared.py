"""CodeSearchNet as `prepare` wrote it: pairs and candidates stay on disk until they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar, overload

import tensorflow_datasets as tfds

from softnce_jax.data.code_search_net.published import ABOUT, PROTOCOL
from softnce_jax.data.code_search_net.records import Texts, to_texts
from softnce_jax.data.corpus import Candidate, Corpus, Pair
from softnce_jax.errors import InputError
from softnce_jax.files import read_json

__all__ = ["Records", "read_prepared"]

T = TypeVar("T")
READ_AHEAD = 256  # records read at once by an iteration over all of them
TFDS_SPLITS = {"train": "train", "valid": "validation", "test": "test", "codebase": "codebase"}


class Records(Sequence[T], Generic[T]):
    """A split on disk: `rows[i]` reads row i, from any thread.

    Args:
      source: TFDS's `as_data_source`, with raw bytes.
      make: a row from the texts of its record.
      sha256: of the fields that training reads, as `prepare` recorded it.
    """

    def __init__(self, source: Any, make: Callable[[Texts], T], sha256: str):
        self._source, self._make, self.sha256 = source, make, sha256

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._rows(range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self._rows([index % len(self)])[0]

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self), READ_AHEAD):
            yield from self[start : start + READ_AHEAD]

    def _rows(self, indices: Sequence[int]) -> list[T]:
        if not indices:  # which ArrayRecord refuses
            return []
        records = self._source.__getitems__([int(index) for index in indices])
        return [self._make(to_texts(record)) for record in records]


class _About(TypedDict):
    """What `prepare` wrote beside TFDS's files: sizes and hashes of them, and what they are."""

    bytes: dict[str, int]
    sha256: dict[str, str]
    protocol: str


def _check_features(features: Any) -> None:
    """Raises ValueError where features.json names a class of others: TFDS would import it."""
    values = [features]
    while values:
        value = values.pop()
        for key, inner in value.items() if isinstance(value, dict) else ():
            named = key in ("type", "pythonClassName", "python_class_name")
            if named and isinstance(inner, str) and not inner.startswith("tensorflow_datasets."):
                raise ValueError(f"features.json names {inner[:80]!r}, which is not TFDS's")
            values.append(inner)
        if isinstance(value, list):
            values += value


def read_prepared(folder: Path, language: str) -> Corpus:
    """The corpus that `prepare` wrote; only its description is read now.

    Args:
      folder: of one language, from `load.prepared_folder`.
      language: of the folder.

    Returns:
      The corpus. Unless it has the published sizes, its notes say what it should be called.

    Raises:
      InputError: damaged files.
    """
    try:
        about = read_json(folder / ABOUT, _About)
        _check_features(read_json(folder / "features.json"))
        for file, size in about["bytes"].items():
            if (actual := (folder / file).stat().st_size) != size:
                raise ValueError(f"{file} has {actual:,} bytes, not {size:,}")
        sources = tfds.builder_from_directory(folder).as_data_source(
            deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )
        splits = {
            name: Records(
                sources[split],
                _candidate if name == "codebase" else _pair,
                about["sha256"][split],
            )
            for name, split in TFDS_SPLITS.items()
        }
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{folder} is damaged ({error}): remove it and run experiments/prepare.py again"
        ) from error
    protocol = about["protocol"]
    notes = () if protocol == PROTOCOL else (protocol,)
    return Corpus(str(folder), language, **splits, notes=notes, protocol=protocol)


def _pair(texts: Texts) -> Pair:
    return Pair(texts.query, texts.code, texts.url, texts.language, None, texts.source)


def _candidate(texts: Texts) -> Candidate:
    return Candidate(texts.code, texts.url, texts.language, None, texts.source)
