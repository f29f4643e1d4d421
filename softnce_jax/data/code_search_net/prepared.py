"""CodeSearchNet as it was prepared: pairs and candidates that are read when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import tensorflow_datasets as tfds

from softnce_jax.data.code_search_net.published import ABOUT, PROTOCOL
from softnce_jax.data.code_search_net.records import Texts, to_texts
from softnce_jax.data.corpus import Candidate, Corpus, Pair
from softnce_jax.errors import InputError

T = TypeVar("T")
BLOCK = 256  # records read at once by who reads all of them
NAMES = {"train": "train", "valid": "validation", "test": "test", "codebase": "codebase"}


class Records(Sequence[T], Generic[T]):
    """A split on disk: `rows[i]` reads row i, from any thread.

    Args:
      source: of TFDS, `as_data_source` with raw bytes.
      make: a row from the texts of its record.
      sha256: of what training reads of the rows, as preparing recorded it.
    """

    def __init__(self, source: Any, make: Callable[[Texts], T], sha256: str):
        self._source, self._make, self.sha256 = source, make, sha256

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> list[T]: ...
    def __getitem__(self, at):
        if isinstance(at, slice):
            return self._rows(range(*at.indices(len(self))))
        if not -len(self) <= at < len(self):
            raise IndexError(f"row {at} of {len(self)}")
        return self._rows([at % len(self)])[0]

    def __iter__(self) -> Iterator[T]:
        for at in range(0, len(self), BLOCK):
            yield from self[at : at + BLOCK]

    def _rows(self, places: Sequence[int]) -> list[T]:
        read = self._source.__getitems__([int(place) for place in places]) if places else []
        return [self._make(to_texts(record)) for record in read]


def read_prepared(folder: Path, language: str) -> Corpus:
    """The corpus that `experiments/prepare.py` made; nothing but its description is read yet.

    Args:
      folder: of one language, as `sources.prepared_folder` finds it.
      language: of it.

    Returns:
      The corpus. What it should be called, where it is not the published one, is in its notes.

    Raises:
      InputError: damaged files.
    """
    try:
        about = json.loads((folder / ABOUT).read_text("utf-8"))
        for file, size in about["bytes"].items():
            if (found := (folder / file).stat().st_size) != size:
                raise ValueError(f"{file} has {found:,} bytes, not {size:,}")
        sources = tfds.builder_from_directory(folder).as_data_source(
            deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )
        splits = {
            name: Records(sources[split], _pair, about["sha256"][split])
            for name, split in NAMES.items()
        }
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{folder} is damaged ({error}): remove it and run experiments/prepare.py again"
        ) from error
    codebase = Records(sources["codebase"], _candidate, about["sha256"]["codebase"])
    notes = () if about["protocol"] == PROTOCOL else (about["protocol"],)
    return Corpus(str(folder), language, **splits | {"codebase": codebase},
                  notes=notes, protocol=about["protocol"])  # fmt: skip


def _pair(texts: Texts) -> Pair:
    return Pair(texts.query, texts.code, texts.url, texts.language)


def _candidate(texts: Texts) -> Candidate:
    return Candidate(texts.code, texts.url, texts.language)
