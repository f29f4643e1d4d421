"""Functions that are nearly the same, grouped by MinHash.

Two functions are near-duplicates where the words of their code, counted with how often they occur,
have a Jaccard similarity of about THRESHOLD (Allamanis, "The adverse effects of code duplication in
machine learning models of code", 2019, has .7 and .8). datasketch makes the signatures. Its index
in memory takes 3 kB a function; bands sorted one after the other take 16 bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from datasketch import MinHash

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
