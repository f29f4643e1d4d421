"""From raw functions to the files of the prepared splits, in two steps.

First each raw shard becomes a shard: the records that are wanted (ArrayRecord) and, written last,
an index of them. A shard whose index exists is done, so an interrupted `prepare` goes on with the
others. Then the splits are put together: an order of the records of all shards, written to the
split's files.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordWriter

from softnce_jax.data.cleaning import (
    ONLY_COMMENTS,
    UNPARSED,
    reason_to_drop,
    reason_to_drop_code,
)
from softnce_jax.data.code_search_net.raw import RawShard, read_raw
from softnce_jax.data.code_search_net.records import (
    Features,
    text_digest,
    to_bytes,
    to_features,
    url_key,
)
from softnce_jax.data.corpus import RowErrors
from softnce_jax.files import whole_file, whole_file_path

__all__ = [
    "Shard",
    "Split",
    "SplitFile",
    "assemble_splits",
    "make_shard",
    "read_shard",
    "save_lists",
    "split_into_files",
    "write_split_file",
]

FORMAT = 3  # raised when the same raw shard comes to give another shard
FILE_RECORDS = 16_384  # in a file of a split
COPIED_AT_ONCE = 256  # records in memory while a file is written
UNLISTED = "a function that is in no list"

ListKeys = Mapping[str, set[bytes]]  # split -> the keys of its urls
Selection = tuple[bool, bool, str | None]  # wanted by its split, by the codebase; why it is dropped


class Shard(NamedTuple):
    """The R records of a raw shard, as its index has them.

    Attributes:
      records: the file.
      split: of the raw shard.
      keys: (R, 16) uint8, of the records' urls.
      digests: (R, 32) uint8, of their texts.
      pair: (R,) bool, whether the split wants the record.
      candidate: (R,) bool, whether the codebase does.
      dropped: reason -> number of functions left out for it, and the location of the first.
    """

    records: Path
    split: str
    keys: np.ndarray
    digests: np.ndarray
    pair: np.ndarray
    candidate: np.ndarray
    dropped: dict[str, tuple[int, str]]


def make_shard(raw: RawShard, language: str, folder: Path, lists: Path | None) -> None:
    """Writes the shard of a raw shard.

    Args:
      raw: what to read.
      language: of the functions that are wanted.
      folder: of shards.
      lists: the file of `save_lists`; None to clean by rules instead.

    Raises:
      InputError: a raw file that is not whole.
    """
    path = _shard_path(folder, raw)
    select = _by_rules if lists is None else functools.partial(_by_lists, lists=_load_lists(lists))
    keys, digests, pair, candidate = [], [], [], []
    dropped = RowErrors()
    with _record_writer(path) as write:
        for location, row in read_raw(raw):
            features = _features(row, language)
            if isinstance(features, str):
                dropped.add(features, location)
                continue
            as_pair, as_candidate, reason = select(features, raw.split)
            if reason is not None:
                dropped.add(reason, location)
            if as_pair or as_candidate:
                write(to_bytes(features))
                keys.append(url_key(features["url"]))
                digests.append(text_digest(features))
                pair.append(as_pair)
                candidate.append(as_candidate)
    with whole_file(path.with_suffix(".npz")) as file:
        np.savez(
            file,
            keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16),
            digests=np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32),
            pair=np.array(pair, bool),
            candidate=np.array(candidate, bool),
            dropped=np.array(
                json.dumps({why: (n, dropped.first[why]) for why, n in dropped.count.items()})
            ),
        )


def read_shard(raw: RawShard, folder: Path) -> Shard | None:
    """The shard of a raw shard, None if it has not been made."""
    path = _shard_path(folder, raw)
    if not path.with_suffix(".npz").exists():
        return None
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as index:
        arrays = [index[name] for name in ("keys", "digests", "pair", "candidate")]
        dropped = {why: (n, first) for why, (n, first) in json.loads(str(index["dropped"])).items()}
        return Shard(path, raw.split, *arrays, dropped)


def _shard_path(folder: Path, raw: RawShard) -> Path:
    """The file of a shard's records, named by the raw file as it is now, and by the part of it."""
    stat = raw.path.stat()
    identity = [FORMAT, str(raw.path), stat.st_size, stat.st_mtime_ns, *map(str, raw[1:])]
    name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:24]
    return folder / f"{name}.array_record"


@contextlib.contextmanager
def _record_writer(path: Path) -> Iterator[Callable[[bytes], None]]:
    """A function that writes a record to a file, which is whole at the end."""
    with (
        whole_file_path(path) as temporary,
        # Groups of one record, so that any record is read without its neighbours.
        contextlib.closing(ArrayRecordWriter(str(temporary), "group_size:1")) as writer,
    ):
        yield writer.write


def _features(row: Mapping | str, language: str) -> Features | str:
    """The features of a raw row, or why it is left out."""
    if isinstance(row, str):
        return row
    features = to_features(row)
    if isinstance(features, dict) and features["language"] != language:
        return f"its language is {features['language']!r}"
    return features


def _by_lists(features: Features, split: str, lists: ListKeys) -> Selection:
    """Selects the functions that the lists of urls name."""
    key = url_key(features["url"])
    pair = key in lists[split]
    candidate = split != "train" and key in lists["codebase"]
    return pair, candidate, None if pair or candidate else UNLISTED


def _by_rules(features: Features, split: str) -> Selection:
    """Selects the functions that the cleaning rules leave.

    A function whose query is dropped is still a candidate if its code parses.
    """
    if not features["code_tokens"]:
        return False, False, ONLY_COMMENTS
    code, language = features["code"], features["language"]
    reason = reason_to_drop(features["docstring_tokens"], code, language)
    if split == "train" or reason is None:
        return reason is None, split != "train", reason
    if reason in (UNPARSED, ONLY_COMMENTS):
        return False, False, reason
    return False, reason_to_drop_code(code, language) is None, reason


def save_lists(folder: Path, lists: Mapping[str, Sequence[str]]) -> Path:
    """Writes the keys of each split's urls, under a name made from the content."""
    arrays = {split: _url_keys(urls) for split, urls in lists.items()}
    digest = hashlib.sha256(b"".join(array.tobytes() + b"\0" for array in arrays.values()))
    path = folder / f"lists-{digest.hexdigest()[:24]}.npz"
    if not path.exists():
        with whole_file(path) as file:
            np.savez(file, **arrays)
    return path


@functools.cache  # once in each process, which makes many shards
def _load_lists(path: Path) -> ListKeys:
    with np.load(path, allow_pickle=False) as arrays:
        return {split: set(map(bytes, arrays[split])) for split in arrays}


def _url_keys(urls: Sequence[str]) -> np.ndarray:
    """(U, 16) uint8, the keys of urls."""
    return np.frombuffer(b"".join(map(url_key, urls)), np.uint8).reshape(-1, 16)


class Split(NamedTuple):
    """A split before it is written.

    Attributes:
      order: (R,) int64, indices of its records in the shards end to end.
      sha256: of its records' texts.
    """

    order: np.ndarray
    sha256: str


class SplitFile(NamedTuple):
    """A file of a split to be written.

    Attributes:
      sources: the files of all shards.
      order: indices of its records in the sources end to end.
      target: the file.
    """

    sources: tuple[Path, ...]
    order: np.ndarray
    target: Path


def assemble_splits(
    shards: Sequence[Shard], lists: Mapping[str, Sequence[str]] | None
) -> dict[str, Split]:
    """The splits that shards make.

    With lists, a split is in the order of its list. If functions share a url the last one counts,
    as in the published program, so the same data come from any mirror. Without lists, a split is in
    the order of the shards, and the first one counts. Queries whose function is no candidate are
    left out of validation and test.
    """
    starts = np.cumsum([0, *(len(shard.keys) for shard in shards)])[:-1]
    splits, candidates = {}, set()
    for name in ("codebase", "train", "validation", "test"):  # the codebase first: see below
        keys, digests, indices = [], [], []
        for shard, start in zip(shards, starts, strict=True):
            if name not in (shard.split, "codebase"):
                continue
            wanted = np.flatnonzero(shard.candidate if name == "codebase" else shard.pair)
            if name in ("validation", "test"):
                answerable = [bytes(shard.keys[i]) in candidates for i in wanted]
                wanted = wanted[np.array(answerable, bool)]
            keys.append(shard.keys[wanted])
            digests.append(shard.digests[wanted])
            indices.append(start + wanted)
        if keys:
            columns = map(np.concatenate, (keys, digests, indices))
            splits[name] = _ordered(*columns, _url_keys(lists[name]) if lists else None)
        if name == "codebase":
            candidates = {bytes(key) for shard_keys in keys for key in shard_keys}
    return splits


def _ordered(
    keys: np.ndarray, digests: np.ndarray, indices: np.ndarray, listed: np.ndarray | None
) -> Split:
    """A split of distinct urls, in the order of a list of keys or else of the records."""
    if listed is None:
        _, firsts = np.unique(keys, axis=0, return_index=True)
        chosen = np.sort(firsts)
    else:
        last = {bytes(key): i for i, key in enumerate(keys)}
        found = (last.get(bytes(key)) for key in listed)
        chosen = np.array([i for i in found if i is not None], np.int64)
    sha256 = hashlib.sha256(np.ascontiguousarray(digests[chosen])).hexdigest()
    return Split(indices[chosen].astype(np.int64), sha256)


def split_into_files(order: np.ndarray) -> list[np.ndarray]:
    """The order of a split, cut into those of its files."""
    return [order[start : start + FILE_RECORDS] for start in range(0, len(order), FILE_RECORDS)]


def write_split_file(file: SplitFile) -> int:
    """Copies the records of a file of a split; returns their bytes."""
    source = ArrayRecordDataSource([str(path) for path in file.sources])
    size = 0
    with _record_writer(file.target) as write:
        for start in range(0, len(file.order), COPIED_AT_ONCE):
            for record in source.__getitems__(file.order[start : start + COPIED_AT_ONCE].tolist()):
                write(record)
                size += len(record)
    return size
