"""Which functions train, validate and test: by hashes, never by chance or order of reading.

What must stay together (a file or folder, and every group of near-duplicates) is one part. Parts
are taken in the order of the hashes of their names: the first to fill it are tested, the next
validate, the rest train. A part too large for what is still wanted trains.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from softnce_jax.data.mining.duplicates import Groups
from softnce_jax.errors import InputError

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
      InputError: fewer than LEAST functions, or parts so large that a split stays empty.

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
    names = ["train"] * len(homes)
    wanted = {name: round(SHARE * len(homes)) for name in ("test", "valid")}
    excess = SHARE * len(homes) / 2  # so that a few large files still make three splits
    for part in sorted(parts.values(), key=lambda part: digest(min(homes[n] for n in part))):
        fits = (name for name, left in wanted.items() if 0 < left >= len(part) - excess)
        name = next(fits, "train")
        for place in part:
            names[place] = name
        if name != "train":
            wanted[name] -= len(part)
    if missing := [name for name in ("train", "valid", "test") if name not in names]:
        largest = max(map(len, parts.values()))
        raise InputError(
            f"nothing is left for {missing[0]}: {largest} of {len(homes)} pairs must stay together"
        )
    return names


def digest(name: str) -> bytes:
    """A key that orders names as if at random, the same on every machine."""
    return hashlib.sha256(name.encode()).digest()
