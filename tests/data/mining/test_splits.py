"""Splits: shares, what stays together, and that nothing depends on chance."""

from __future__ import annotations

import random

import pytest

from softnce_jax.data.mining.dedup import LEAST, Groups, split
from softnce_jax.errors import InputError


def homes_of(size: int, files: int) -> list[str]:
    rng = random.Random(size)
    return [f"{rng.randrange(files)}.rb" for _ in range(size)]


def joined(size: int, pairs: list[tuple[int, int]]) -> Groups:
    groups = Groups(size)
    for one, other in pairs:
        groups.join(one, other)
    return groups


@pytest.mark.parametrize("files", [10, 30, 200])
def test_a_tenth_is_tested_and_a_tenth_validates(files):
    homes = homes_of(1000, files)
    names = split(homes, Groups(1000))
    for name in ("valid", "test"):
        assert 80 <= names.count(name) <= 150
    by_file = {(home, name) for home, name in zip(homes, names, strict=True)}
    assert len(by_file) == len(set(homes))


def test_neither_files_nor_groups_are_split():
    rng = random.Random(3)
    homes = homes_of(1000, 200)
    pairs = [(rng.randrange(1000), rng.randrange(1000)) for _ in range(60)]
    alone = split(homes, Groups(1000))
    assert any(alone[one] != alone[other] for one, other in pairs)  # what grouping prevents
    names = split(homes, joined(1000, pairs))
    assert all(names[one] == names[other] for one, other in pairs)
    assert len(set(zip(homes, names, strict=True))) == len(set(homes))


def test_the_order_of_reading_does_not_matter():
    homes = homes_of(500, 60)
    order = random.Random(0).sample(range(500), 500)
    names = split(homes, joined(500, [(1, 2), (3, 400)]))
    places = {n: k for k, n in enumerate(order)}
    pairs = [(places[1], places[2]), (places[3], places[400])]
    again = split([homes[n] for n in order], joined(500, pairs))
    assert [again[places[n]] for n in range(500)] == names


def test_a_part_too_large_to_be_tested_trains():
    homes = ["large.rb"] * 400 + homes_of(600, 60)
    names = split(homes, Groups(1000))
    assert set(names[:400]) == {"train"}
    assert names.count("test") >= 80


def test_too_few_pairs_name_both_numbers():
    with pytest.raises(InputError, match=f"{LEAST - 1} pairs.* at least {LEAST}"):
        split(homes_of(LEAST - 1, 20), Groups(LEAST - 1))
    assert len(split(homes_of(LEAST, 20), Groups(LEAST))) == LEAST


def test_three_parts_are_needed():
    homes = ["a.rb"] * 60 + ["b.rb"] * 30 + ["c.rb"] * 10
    names = split(homes, Groups(100))
    assert {home: name for home, name in zip(homes, names, strict=True)}["a.rb"] == "train"
    assert set(names) == {"train", "valid", "test"}
    with pytest.raises(InputError, match="100 pairs, in 2 parts; three splits need 3"):
        split(homes, joined(100, [(0, 60)]))
