"""From a shard of raw functions to a part: the records that are kept, and which splits want them.

A part is two files: records (ArrayRecord) and, written last, an index of them. So a shard whose
index is there is done, and preparing that was interrupted goes on with the others.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from array_record.python import array_record_data_source, array_record_module

from softnce_jax.data.cleaning import EMPTY, UNPARSED, unclean, unusable
from softnce_jax.data.code_search_net import records
from softnce_jax.data.code_search_net.raw import Shard, read

FORMAT = 1  # raised when the same shard comes to give another part
NO_ROW = "a line that is no JSON object"
UNLISTED = "a function that is in no list"


class Part(NamedTuple):
    """The records of a shard, as its index has them.

    Attributes:
      records: the file.
      split: of the shard.
      keys: of the records' urls (R, 16).
      digests: of their texts (R, 32).
      pair: whether the split wants the record (R,).
      candidate: whether the codebase does (R,).
      dropped: reason -> how many functions were left out for it.
    """

    records: Path
    split: str
    keys: np.ndarray
    digests: np.ndarray
    pair: np.ndarray
    candidate: np.ndarray
    dropped: dict[str, int]


def part_path(folder: Path, shard: Shard) -> Path:
    """Where the records of a shard go: named by its file, as that is now, and its place in it."""
    stat = shard.path.stat()
    about = [FORMAT, str(shard.path), stat.st_size, stat.st_mtime_ns, *map(str, shard[1:])]
    name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]
    return folder / f"{name}.array_record"


def make_part(shard: Shard, language: str, folder: Path, lists: Path | None) -> None:
    """Writes the part of a shard.

    Args:
      shard: what to read.
      language: of the functions that are kept.
      folder: of parts.
      lists: keys of the urls of each split, as `save_lists` wrote them; None to clean by rules.

    Raises:
      InputError: a file that is not whole.
    """
    path = part_path(folder, shard)
    wants = by_rules if lists is None else functools.partial(by_lists, lists=keys_of(lists))
    keys, digests, pair, candidate = [], [], [], []
    dropped: Counter[str] = Counter()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    writer = array_record_module.ArrayRecordWriter(str(temporary), "group_size:1")
    try:
        for row in read(shard):
            found = NO_ROW if row is None else records.function(row)
            if isinstance(found, dict) and found["language"] != language:
                found = f"its language is {found['language']!r}"
            if isinstance(found, str):
                dropped[found] += 1
                continue
            as_pair, as_candidate, reason = wants(found, shard.split)
            dropped[reason] += reason is not None
            if as_pair or as_candidate:
                writer.write(records.to_bytes(found))
                keys.append(records.key(found["url"]))
                digests.append(records.digest(found))
                pair.append(as_pair)
                candidate.append(as_candidate)
    except BaseException:
        writer.close()
        temporary.unlink(missing_ok=True)
        raise
    writer.close()
    os.replace(temporary, path)
    del dropped[None]
    _save(
        path.with_suffix(".npz"),
        keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16),
        digests=np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32),
        pair=np.array(pair, bool),
        candidate=np.array(candidate, bool),
        dropped=np.array(json.dumps(dropped)),
    )


def read_part(shard: Shard, folder: Path) -> Part | None:
    """The part of a shard, None where it is not there."""
    path = part_path(folder, shard)
    if not path.with_suffix(".npz").exists():
        return None
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as index:
        arrays = [index[name] for name in ("keys", "digests", "pair", "candidate")]
        return Part(path, shard.split, *arrays, json.loads(str(index["dropped"])))


def by_lists(
    found: records.Function, split: str, lists: dict[str, set[bytes]]
) -> tuple[bool, bool, str | None]:
    """Whether the split and the codebase want a function, and why neither does: their lists."""
    url = records.key(found["url"])
    pair = url in lists[split]
    candidate = split != "train" and url in lists["codebase"]
    return pair, candidate, None if pair or candidate else UNLISTED


def by_rules(found: records.Function, split: str) -> tuple[bool, bool, str | None]:
    """Whether the split and the codebase want a function, and why the split does not: the rules.

    What a query should be asks nothing of a candidate: there, code that parses is enough.
    """
    if not found["code_tokens"]:
        return False, False, EMPTY
    code, language = found["code"], found["language"]
    reason = unclean(found["docstring_tokens"], code, language)
    if split == "train" or reason is None:
        return reason is None, split != "train", reason
    if reason in (UNPARSED, EMPTY):
        return False, False, reason
    return False, unusable(code, language) is None, reason


def save_lists(folder: Path, lists: dict[str, list[str]]) -> Path:
    """Writes the keys of the urls of each split, under a name that says what they are."""
    arrays = {split: key_array(urls) for split, urls in lists.items()}
    whole = hashlib.sha256(b"".join(array.tobytes() + b"\0" for array in arrays.values()))
    path = folder / f"lists-{whole.hexdigest()[:24]}.npz"
    if not path.exists():
        _save(path, **arrays)
    return path


def key_array(urls: list[str]) -> np.ndarray:
    """The keys of urls (U, 16)."""
    return np.frombuffer(b"".join(map(records.key, urls)), np.uint8).reshape(-1, 16)


@functools.cache
def keys_of(path: Path) -> dict[str, set[bytes]]:
    """The keys that `save_lists` wrote, for this process."""
    with np.load(path, allow_pickle=False) as arrays:
        return {split: set(map(bytes, arrays[split])) for split in arrays}


def _save(path: Path, **arrays: np.ndarray) -> None:
    """Writes arrays whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(temporary, path)


SHARD_RECORDS = 16_384
BLOCK = 256  # records that are in memory at once


class Split(NamedTuple):
    """A split before it is written: its records' places in the parts end to end, and their hash."""

    order: np.ndarray  # (R,) int64
    sha256: str


class Copy(NamedTuple):
    """A file of a split to be written: records, by place, of files end to end."""

    sources: tuple[Path, ...]
    order: np.ndarray
    target: Path


def splits_of(parts: Sequence[Part], lists: dict[str, list[str]] | None) -> dict[str, Split]:
    """The splits that parts make.

    With lists, a split is in its list's order, and where functions have one url the last counts, as
    in the published preparing; so the same data come from any source. Without, it is in the parts'
    order, and the first counts. Queries are answerable: their function is a candidate.
    """
    first = np.cumsum([0, *(len(part.keys) for part in parts)])
    splits, candidates = {}, set()
    for name in ("codebase", "train", "validation", "test"):
        keys, digests, places = [], [], []
        for part, start in zip(parts, first, strict=False):
            if name not in (part.split, "codebase"):
                continue
            wanted = np.flatnonzero(part.candidate if name == "codebase" else part.pair)
            if name in ("validation", "test"):
                answered = [bytes(part.keys[place]) in candidates for place in wanted]
                wanted = wanted[np.array(answered, bool)]
            keys.append(part.keys[wanted])
            digests.append(part.digests[wanted])
            places.append(start + wanted)
        if keys:
            columns = map(np.concatenate, (keys, digests, places))
            urls = key_array(lists[name]) if lists else None
            splits[name] = _ordered(*columns, urls)
        if name == "codebase":
            candidates = {bytes(key) for block in keys for key in block}
    return splits


def _ordered(
    keys: np.ndarray, digests: np.ndarray, places: np.ndarray, urls: np.ndarray | None
) -> Split:
    if urls is None:
        _, firsts = np.unique(keys, axis=0, return_index=True)
        chosen = np.sort(firsts)
    else:
        at = {bytes(key): place for place, key in enumerate(keys)}
        found = (at.get(bytes(url)) for url in urls)
        chosen = np.array([place for place in found if place is not None], np.int64)
    sha256 = hashlib.sha256(np.ascontiguousarray(digests[chosen])).hexdigest()
    return Split(places[chosen].astype(np.int64), sha256)


def copy(work: Copy) -> int:
    """Writes a file of a split; returns the bytes of its records."""
    source = array_record_data_source.ArrayRecordDataSource([str(path) for path in work.sources])
    writer = array_record_module.ArrayRecordWriter(str(work.target), "group_size:1")
    size = 0
    try:
        for at in range(0, len(work.order), BLOCK):
            for record in source.__getitems__(work.order[at : at + BLOCK].tolist()):
                writer.write(record)
                size += len(record)
    finally:
        writer.close()
    return size


def file_orders(order: np.ndarray) -> Iterator[np.ndarray]:
    """The order of a split, cut into its files."""
    yield from (order[at : at + SHARD_RECORDS] for at in range(0, len(order), SHARD_RECORDS))
