"""Texts that pairs share, the functions of pairs, and who answers whose query."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np

from softnce_jax.data.corpus import (
    Pair,
    answer_keys,
    answers,
    functions_of,
    shared_texts,
    text_keys,
)
from softnce_jax.data.sample import load_sample

TEXTS = [  # query, code, url, language
    ("sort", "a", "u", "go"),
    ("order", "a", "u", "go"),
    ("sum", "b", "v", "go"),
    ("sort", "c", "w", "go"),
    ("find", "d", "u", "php"),  # another language: another function
    ("find", "e", "x", "go"),
    ("Find", "f", "y", "go"),
]
PAIRS = [Pair(*text) for text in TEXTS]


def test_shared_texts_are_counted():
    shared = shared_texts(PAIRS)
    assert shared == (5, 4, 2)  # all but "sum" and "Find"; sort, sort, find, find; a, a
    assert shared_texts(PAIRS[2:4]) == (0, 0, 0)
    sample = load_sample("ruby").train
    codes = Counter(pair.code for pair in sample)
    assert shared_texts(sample).code == sum(codes[pair.code] > 1 for pair in sample) == 128


def test_functions_differ_in_language_or_url():
    functions = functions_of(PAIRS)
    assert functions.of_R.tolist() == [0, 0, 1, 2, 3, 4, 5]
    assert functions.pair_M.tolist() == [0, 2, 3, 4, 5, 6]


def test_answers_are_the_functions_with_a_text_of_the_pair():
    found = answers(PAIRS, functions_of(PAIRS))
    expected = []
    for pair in PAIRS:
        same = [p for p in PAIRS if p.query == pair.query or p.code == pair.code]
        expected.append(sorted({functions_of(PAIRS).of_R[PAIRS.index(p)] for p in same}))
    assert found == expected == [[0, 2], [0], [1], [0, 2], [3, 4], [3, 4], [5]]


def test_keys_of_all_queries_of_a_function():
    found = answer_keys(PAIRS)
    sort, order, total, find = text_keys(["sort", "order", "sum", "find"]).tolist()
    assert found.shape == (7, 2) and found.dtype == np.int32
    assert found[:5].tolist() == [[sort, order]] * 2 + [[total] * 2, [sort] * 2, [find] * 2]


def test_keys_are_equal_where_texts_are():
    texts = ["a b", "a  b", "", "\udc80", "é", "a b"]
    keys = text_keys(texts)
    assert keys.dtype == np.int32 and keys[0] == keys[5] and len(set(keys.tolist())) == 5
    # Not Python's hash(), which is another in each process.
    digest = hashlib.blake2b(b"a b", digest_size=4).digest()
    assert int.from_bytes(digest, "little", signed=True) == keys[0]
