"""Near-duplicates and splits: groups agree with an exact count, and no split tears one apart."""

from __future__ import annotations

import functools
import random
import re
from collections import Counter

import numpy as np
import pytest

from softnce_jax.data.mining.dedup import (
    MIN_PAIRS,
    THRESHOLD,
    DisjointSets,
    _collisions,
    near_duplicates,
    signature,
    split,
)
from softnce_jax.errors import InputError


@functools.cache
def word_counts(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text))


def jaccard(one: str, other: str) -> float:
    """Of the words of two texts with their numbers of occurrence."""
    a, b = word_counts(one), word_counts(other)
    return (a & b).total() / (a | b).total()


def test_signatures_estimate_the_similarity():
    rng = random.Random(0)
    words = [f"w{n}" for n in range(300)]
    for share in (0, 50, 100, 200, 290):
        one = " ".join(words)
        other = " ".join(words[:share] + [f"v{rng.random()}" for _ in range(300 - share)])
        estimate = np.mean(signature(one) == signature(other))
        assert abs(estimate - jaccard(one, other)) < 4 * (0.25 / 128) ** 0.5


def test_how_often_a_word_occurs_counts():
    assert (signature("a b") == signature("b\na")).all()
    assert np.mean(signature("a b") == signature("a a a a a a b b b b b b")) < THRESHOLD


def test_groups_are_those_of_an_exact_count():
    rng = random.Random(1)
    texts = []
    for family in range(40):
        words = [f"f{family}_{n}" for n in range(100)]
        texts.append(" ".join(words))
        for changed in (2, 40):  # similarities of .96 and .43
            for index in rng.sample(range(100), changed):
                words[index] = f"x{rng.random()}"
            texts.append(" ".join(words))
    order = rng.sample(range(len(texts)), len(texts))
    groups = near_duplicates(np.stack([signature(texts[n]) for n in order]))
    for i, one in enumerate(order):
        for j, other in enumerate(order[:i]):
            alike = jaccard(texts[one], texts[other]) > THRESHOLD
            assert (groups.find(i) == groups.find(j)) == alike
    assert len({groups.find(n) for n in range(120)}) == 80


def test_groups_chain():
    words = [f"w{n}" for n in range(100)]
    texts = [" ".join([*words[5 * n :], *(f"v{k}" for k in range(5 * n))]) for n in range(4)]
    assert jaccard(texts[0], texts[1]) > THRESHOLD > jaccard(texts[0], texts[3])
    groups = near_duplicates(np.stack([signature(text) for text in texts]))
    assert [groups.find(n) for n in range(4)] == [0, 0, 0, 0]


@pytest.mark.parametrize("size", [0, 1, 2, 50])
def test_every_index_collides_with_its_first_and_previous(size):
    rng = np.random.default_rng(size)
    keys = rng.integers(0, 7, size)
    expected = set()
    for index, key in enumerate(keys):
        same = [n for n in range(index) if keys[n] == key]
        expected |= {(same[0], index), (same[-1], index)} if same else set()
    assert set(_collisions(keys)) == expected


def test_no_functions_make_no_groups():
    assert near_duplicates(np.zeros((0, 128), np.uint32)) is not None


def units_of(size: int, files: int) -> list[str]:
    rng = random.Random(size)
    return [f"{rng.randrange(files)}.rb" for _ in range(size)]


def joined(size: int, pairs: list[tuple[int, int]]) -> DisjointSets:
    groups = DisjointSets(size)
    for one, other in pairs:
        groups.union(one, other)
    return groups


@pytest.mark.parametrize("files", [10, 30, 200])
def test_a_tenth_is_tested_and_a_tenth_validates(files):
    units = units_of(1000, files)
    names = split(units, DisjointSets(1000))
    for name in ("valid", "test"):
        assert 80 <= names.count(name) <= 150
    by_file = {(unit, name) for unit, name in zip(units, names, strict=True)}
    assert len(by_file) == len(set(units))


def test_neither_files_nor_groups_are_split():
    rng = random.Random(3)
    units = units_of(1000, 200)
    pairs = [(rng.randrange(1000), rng.randrange(1000)) for _ in range(60)]
    alone = split(units, DisjointSets(1000))
    assert any(alone[one] != alone[other] for one, other in pairs)  # what grouping prevents
    names = split(units, joined(1000, pairs))
    assert all(names[one] == names[other] for one, other in pairs)
    assert len(set(zip(units, names, strict=True))) == len(set(units))


def test_the_order_of_reading_does_not_matter():
    units = units_of(500, 60)
    order = random.Random(0).sample(range(500), 500)
    names = split(units, joined(500, [(1, 2), (3, 400)]))
    position = {n: k for k, n in enumerate(order)}
    pairs = [(position[1], position[2]), (position[3], position[400])]
    again = split([units[n] for n in order], joined(500, pairs))
    assert [again[position[n]] for n in range(500)] == names


def test_a_group_too_large_to_be_tested_trains():
    units = ["large.rb"] * 400 + units_of(600, 60)
    names = split(units, DisjointSets(1000))
    assert set(names[:400]) == {"train"}
    assert names.count("test") >= 80


def test_too_few_pairs_name_both_numbers():
    with pytest.raises(InputError, match=f"{MIN_PAIRS - 1} pairs.* at least {MIN_PAIRS}"):
        split(units_of(MIN_PAIRS - 1, 20), DisjointSets(MIN_PAIRS - 1))
    assert len(split(units_of(MIN_PAIRS, 20), DisjointSets(MIN_PAIRS))) == MIN_PAIRS


def test_three_groups_are_needed():
    units = ["a.rb"] * 60 + ["b.rb"] * 30 + ["c.rb"] * 10
    names = split(units, DisjointSets(100))
    assert {unit: name for unit, name in zip(units, names, strict=True)}["a.rb"] == "train"
    assert set(names) == {"train", "valid", "test"}
    with pytest.raises(InputError, match="100 pairs, in 2 groups; three splits need 3"):
        split(units, joined(100, [(0, 60)]))
