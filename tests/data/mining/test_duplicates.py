"""Near-duplicates: what is grouped is alike by an exact count, and what is alike is grouped."""

from __future__ import annotations

import random
import re
from collections import Counter

import numpy as np
import pytest

from softnce_jax.data.mining.dedup import THRESHOLD, meetings, near_duplicates, signature


def jaccard(one: str, other: str) -> float:
    """Of the words of two texts with their numbers of occurrence."""
    a, b = (Counter(re.findall(r"\w+", text)) for text in (one, other))
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
            for place in rng.sample(range(100), changed):
                words[place] = f"x{rng.random()}"
            texts.append(" ".join(words))
    order = rng.sample(range(len(texts)), len(texts))
    groups = near_duplicates(np.stack([signature(texts[n]) for n in order]))
    for i, one in enumerate(order):
        for j, other in enumerate(order[:i]):
            alike = jaccard(texts[one], texts[other]) > THRESHOLD
            assert (groups.of(i) == groups.of(j)) == alike
    assert len({groups.of(n) for n in range(120)}) == 80


def test_groups_chain():
    words = [f"w{n}" for n in range(100)]
    texts = [" ".join([*words[5 * n :], *(f"v{k}" for k in range(5 * n))]) for n in range(4)]
    assert jaccard(texts[0], texts[1]) > THRESHOLD > jaccard(texts[0], texts[3])
    groups = near_duplicates(np.stack([signature(text) for text in texts]))
    assert [groups.of(n) for n in range(4)] == [0, 0, 0, 0]


@pytest.mark.parametrize("size", [0, 1, 2, 50])
def test_every_place_meets_its_first_and_previous(size):
    rng = np.random.default_rng(size)
    keys = rng.integers(0, 7, size)
    expected = set()
    for place, key in enumerate(keys):
        same = [n for n in range(place) if keys[n] == key]
        expected |= {(same[0], place), (same[-1], place)} if same else set()
    assert set(meetings(keys)) == expected


def test_no_functions_make_no_groups():
    assert near_duplicates(np.zeros((0, 128), np.uint32)) is not None
