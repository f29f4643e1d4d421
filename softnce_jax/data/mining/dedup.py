"""Near-duplicates, grouped by MinHash, and splits that tear no group apart.

Two functions are near-duplicates if the words of their code, counted with their occurrences, have a
Jaccard similarity of about THRESHOLD (Allamanis, "The adverse effects of code duplication in
machine learning models of code", 2019, uses .7 and .8). datasketch makes the signatures. Its index
would take 3 kB of memory a function; bands that are sorted one after the other take 16 bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from datasketch import MinHash

from softnce_jax.errors import InputError

__all__ = ["SIGNATURE", "DisjointSets", "near_duplicates", "signature", "split"]

THRESHOLD = 0.8
# Functions are compared if one band of their signatures is equal: at similarity .8 that happens
# with probability .95, at .5 with .06.
BANDS, BAND_WIDTH = 16, 8
SIGNATURE = BANDS * BAND_WIDTH  # hashes
SEED = 1  # of the hashes

SPLIT_SHARE = 0.1  # of the pairs go to valid, and as many to test
MIN_PAIRS = 50  # of which 5 are tested


def signature(code: str) -> np.ndarray:
    """The MinHash signature of code: (SIGNATURE,) uint32."""
    occurrences: Counter[str] = Counter()
    words = []
    for word in re.findall(r"\w+", code):
        occurrences[word] += 1
        words.append(f"{word} {occurrences[word]}".encode())
    minhash = MinHash(SIGNATURE, seed=SEED, scheme="affine32")
    minhash.update_batch(words)
    return minhash.hashvalues.astype(np.uint32)


class DisjointSets:
    """Disjoint sets of the numbers below `size` (union-find), named by their smallest member.

    Example:
      >>> sets = DisjointSets(5)
      >>> sets.union(3, 4)
      >>> sets.union(4, 1)
      >>> [sets.find(n) for n in range(5)]
      [0, 1, 2, 1, 1]
    """

    def __init__(self, size: int):
        self._parent = list(range(size))

    def find(self, n: int) -> int:
        """The name of a number's set."""
        root = n
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[n] != root:  # shorten the path for the next time
            self._parent[n], n = root, self._parent[n]
        return root

    def union(self, a: int, b: int) -> None:
        """Joins the sets of two numbers."""
        low, high = sorted((self.find(a), self.find(b)))
        self._parent[high] = low


def near_duplicates(signatures: np.ndarray) -> DisjointSets:
    """Groups near-duplicates; the groups do not depend on the order of the functions.

    Args:
      signatures: (functions, SIGNATURE) uint32; may be a mapped file.

    Returns:
      Sets of row indices.
    """
    groups = DisjointSets(len(signatures))
    for start in range(0, SIGNATURE, BAND_WIDTH):
        band = np.ascontiguousarray(signatures[:, start : start + BAND_WIDTH])
        keys = band.view(f"V{band.itemsize * BAND_WIDTH}")[:, 0]
        for i, j in _collisions(keys):
            if groups.find(i) != groups.find(j):
                similarity = float(np.mean(signatures[i] == signatures[j]))
                if similarity >= THRESHOLD:
                    groups.union(i, j)
    return groups


def _collisions(keys: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields pairs of indices with equal keys: each index with the first and the previous one.

    All pairs would be quadratic where one key is frequent.
    """
    _, key = np.unique(keys, return_inverse=True)
    order = np.argsort(key, kind="stable")
    is_first = np.r_[True, key[order][1:] != key[order][:-1]] if len(order) else np.zeros(0, bool)
    first = previous = -1
    for index, starts_run in zip(order.tolist(), is_first.tolist(), strict=True):
        if starts_run:
            first = index
        else:
            yield first, index
            if previous != first:
                yield previous, index
        previous = index


def split(units: Sequence[str], groups: DisjointSets) -> list[str]:
    """The split of each function: "train", "valid" or "test".

    Args:
      units: the file or folder of each function, which is never split.
      groups: of near-duplicates, never split either. This joins the functions of a unit, too.

    Returns:
      A split for each function, in order.

    Raises:
      InputError: fewer than MIN_PAIRS functions, or fewer than three groups.

    Example:
      >>> units = [f"{n % 30}.rb" for n in range(90)]
      >>> splits = split(units, DisjointSets(90))
      >>> [splits.count(name) for name in ("train", "valid", "test")]
      [72, 9, 9]
    """
    if len(units) < MIN_PAIRS:
        raise InputError(f"{len(units)} pairs; training and testing need at least {MIN_PAIRS}")
    first: dict[str, int] = {}
    for i, unit in enumerate(units):
        groups.union(first.setdefault(unit, i), i)
    members: dict[int, list[int]] = defaultdict(list)
    for i in range(len(units)):
        members[groups.find(i)].append(i)
    if len(members) < 3:
        raise InputError(f"{len(units)} pairs, in {len(members)} groups; three splits need 3")
    # The order of a group depends on its units' names alone, not on the order of reading.
    ordered = sorted(members.values(), key=lambda group: _shuffle_key(min(units[i] for i in group)))
    splits = ["train"] * len(units)
    for name, chosen in _choose([len(group) for group in ordered]).items():
        for i in (i for n in chosen for i in ordered[n]):
            splits[i] = name
    return splits


def _choose(sizes: Sequence[int]) -> dict[str, list[int]]:
    """The groups that are tested and those that validate, by their indices.

    Example:
      >>> _choose([30, 400, 20, 450, 60, 40])
      {'test': [0, 2, 4], 'valid': [5]}
      >>> _choose([30, 20, 50])
      {'test': [1], 'valid': [0]}
    """
    share = SPLIT_SHARE * sum(sizes)
    missing = {"test": round(share), "valid": round(share)}
    excess = share / 2  # by which a split may become too large, so that large files can be used
    chosen: dict[str, list[int]] = {name: [] for name in missing}
    for n, size in enumerate(sizes):
        name = next((name for name, left in missing.items() if 0 < left >= size - excess), None)
        if name is not None:
            chosen[name].append(n)
            missing[name] -= size
    for name in missing:
        if not chosen[name]:  # all groups are too large: take the smallest
            taken = {n for indices in chosen.values() for n in indices}
            chosen[name].append(min((s, n) for n, s in enumerate(sizes) if n not in taken)[1])
    return chosen


def _shuffle_key(name: str) -> bytes:
    """A key that orders names as if at random, the same on every machine."""
    return hashlib.sha256(name.encode()).digest()
