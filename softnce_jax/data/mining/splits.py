"""Which functions train, validate and test: by hashes, never by chance or order of reading.

What must stay together (a file or folder, and every group of near-duplicates) is one part. Parts
are taken in the order of the hashes of their names: the first to fill it are tested, the next
validate, the rest train. A part too large for what is still wanted trains.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from softnce_jax.data.mining.dedup import Groups
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
