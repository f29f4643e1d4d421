"""Functions that are nearly the same, grouped by MinHash.

Two functions are near-duplicates where the words of their code, counted with how often they occur,
have a Jaccard similarity of about THRESHOLD (Allamanis, "The adverse effects of code duplication in
machine learning models of code", 2019, has .7 and .8). datasketch makes the signatures. Its index
in memory takes 3 kB a function; bands sorted one after the other take 16 bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from datasketch import MinHash

from softnce_jax.errors import InputError

THRESHOLD = 0.8
BANDS, ROWS = 16, 8  # two functions of similarity .8 meet with probability .95, of .5 with .06
SEED = 1


def signature(code: str) -> np.ndarray:
    """The MinHash signature of code: uint32, (BANDS * ROWS,)."""
    times: Counter[str] = Counter()
    words = []
    for word in re.findall(r"\w+", code):
        times[word] += 1
        words.append(f"{word} {times[word]}".encode())
    minhash = MinHash(BANDS * ROWS, seed=SEED, scheme="affine32")
    minhash.update_batch(words)
    return minhash.hashvalues.astype(np.uint32)


class Groups:
    """Disjoint sets of numbers, each named by its smallest member.

    Example:
      >>> groups = Groups(5)
      >>> groups.join(3, 4)
      >>> groups.join(4, 1)
      >>> [groups.of(n) for n in range(5)]
      [0, 1, 2, 1, 1]
    """

    def __init__(self, size: int):
        self._parent = list(range(size))

    def of(self, number: int) -> int:
        """The name of a number's set."""
        root = number
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[number] != root:
            self._parent[number], number = root, self._parent[number]
        return root

    def join(self, one: int, other: int) -> None:
        """Makes one set of two."""
        low, high = sorted((self.of(one), self.of(other)))
        self._parent[high] = low


def near_duplicates(signatures: np.ndarray) -> Groups:
    """Groups of near-duplicates among functions, whatever their order.

    Functions that share a band are compared with the first and the previous one that have it.

    Args:
      signatures: uint32, (functions, BANDS * ROWS); may be a mapped file.

    Returns:
      Sets of places in `signatures`.
    """
    groups = Groups(len(signatures))
    for band in range(BANDS):
        keys = np.ascontiguousarray(signatures[:, band * ROWS : (band + 1) * ROWS])
        keys = keys.view(f"V{keys.itemsize * ROWS}")[:, 0]
        for one, other in meetings(keys):
            if groups.of(one) != groups.of(other) and alike(signatures[one], signatures[other]):
                groups.join(one, other)
    return groups


def meetings(keys: np.ndarray) -> Iterable[tuple[int, int]]:
    """Pairs of places with the same key: each place with the first and the previous one."""
    _, key = np.unique(keys, return_inverse=True)
    order = np.argsort(key, kind="stable")
    new = np.r_[True, key[order][1:] != key[order][:-1]] if len(order) else np.zeros(0, bool)
    first = previous = -1
    for place, is_new in zip(order.tolist(), new.tolist(), strict=True):
        if is_new:
            first = place
        else:
            yield first, place
            if previous != first:
                yield previous, place
        previous = place


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two signatures estimate a similarity of THRESHOLD."""
    return float(np.mean(one == other)) >= THRESHOLD


SHARE = 0.1  # of the pairs in valid, and in test
LEAST = 50  # pairs, of which 5 are tested


def split(homes: Sequence[str], groups: Groups) -> list[str]:
    """The split of each function: "train", "valid" or "test".

    Args:
      homes: the file or folder of each function.
      groups: of near-duplicates; joined further by this function.

    Returns:
      Names of splits, in order.

    Raises:
      InputError: fewer than LEAST functions, or fewer than three parts.

    Example:
      >>> homes = [f"{n % 30}.rb" for n in range(90)]
      >>> names = split(homes, Groups(90))
      >>> [names.count(name) for name in ("train", "valid", "test")]
      [72, 9, 9]
    """
    if len(homes) < LEAST:
        raise InputError(f"{len(homes)} pairs; training and testing need at least {LEAST}")
    first: dict[str, int] = {}
    for place, home in enumerate(homes):
        groups.join(first.setdefault(home, place), place)
    parts: dict[int, list[int]] = defaultdict(list)
    for place in range(len(homes)):
        parts[groups.of(place)].append(place)
    if len(parts) < 3:
        raise InputError(f"{len(homes)} pairs, in {len(parts)} parts; three splits need 3")
    ordered = sorted(parts.values(), key=lambda part: digest(min(homes[n] for n in part)))
    names = ["train"] * len(homes)
    for name, chosen in choose([len(part) for part in ordered]).items():
        for place in (place for at in chosen for place in ordered[at]):
            names[place] = name
    return names


def choose(sizes: Sequence[int]) -> dict[str, list[int]]:
    """Which parts are tested and which validate, in their order.

    Example:
      >>> choose([30, 400, 20, 450, 60, 40])
      {'test': [0, 2, 4], 'valid': [5]}
      >>> choose([30, 20, 50])
      {'test': [1], 'valid': [0]}
    """
    whole = sum(sizes)
    wanted = {"test": round(SHARE * whole), "valid": round(SHARE * whole)}
    excess = SHARE * whole / 2  # so that a few large files still make three splits
    chosen: dict[str, list[int]] = {name: [] for name in wanted}
    for at, size in enumerate(sizes):
        name = next((name for name, left in wanted.items() if 0 < left >= size - excess), None)
        if name is not None:
            chosen[name].append(at)
            wanted[name] -= size
    for name in wanted:
        if not chosen[name]:
            taken = {at for each in chosen.values() for at in each}
            chosen[name].append(min((s, at) for at, s in enumerate(sizes) if at not in taken)[1])
    return chosen


def digest(name: str) -> bytes:
    """A key that orders names as if at random, the same on every machine."""
    return hashlib.sha256(name.encode()).digest()
