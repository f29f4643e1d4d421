"""From parts to splits: the order of each split, and its records copied in that order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from array_record.python import array_record_data_source, array_record_module

from softnce_jax.data.code_search_net.shards import Part, key_array

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
