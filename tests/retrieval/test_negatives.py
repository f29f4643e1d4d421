"""Hard negatives against a loop over the full matrix of scores, in memory that is not Q × M."""

from __future__ import annotations

import math
import tracemalloc

import jax
import numpy as np
import pytest

from softnce_jax.retrieval import blocks, negatives, ranking
from softnce_jax.retrieval.bm25 import Bm25
from softnce_jax.retrieval.negatives import Wanted, bm25_search, hard_negatives, vector_search

QUERIES, CANDIDATES = 23, 90
WANTED = {
    "the first": Wanted(3),
    "all": Wanted(CANDIDATES, last=CANDIDATES),
    "some ranks": Wanted(4, first=3, last=11),
    "absolute margin": Wanted(5, absolute_margin=1.0),
    "relative margin": Wanted(5, relative_margin=0.3),
    "both margins": Wanted(5, first=2, absolute_margin=0.5, relative_margin=0.05),
}
every_wanted = pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)


def loop(score, own, right, wanted):
    """Query by query, candidate by candidate, from the whole matrix."""
    found = []
    for q, row in enumerate(score):
        order = sorted(range(len(row)), key=lambda m: (-row[m], m))
        wrong = [m for m in order if m not in right[q]]
        most = math.inf
        if wanted.absolute_margin is not None:
            most = row[own[q]] - wanted.absolute_margin
        if wanted.relative_margin is not None:
            most = min(most, row[own[q]] - wanted.relative_margin * abs(row[own[q]]))
        ranked = wrong[wanted.first - 1 : wanted.last]
        kept = [m for m in ranked if row[m] <= most and row[m] > -math.inf][: wanted.k]
        found.append(kept + [-1] * (wanted.k - len(kept)))
    return found


def vectors():
    """Whole numbers, so that scores are exact and many are equal."""
    random = np.random.default_rng(0)
    q, c = (random.integers(-2, 3, (n, 6)).astype(np.float32) for n in (QUERIES, CANDIDATES))
    own = random.integers(0, CANDIDATES, QUERIES)
    right = [sorted({int(m), *random.integers(0, CANDIDATES, n).tolist()})
             for m, n in zip(own, random.integers(0, 9, QUERIES), strict=True)]  # fmt: skip
    right[4] = list(range(0, CANDIDATES, 2))  # a text that half the data have
    right[4] += [] if own[4] % 2 == 0 else [int(own[4])]
    return q, c, own, right


@every_wanted
@pytest.mark.parametrize(("width", "cells"), [(2**17, 2**20), (16, 500), (56, 1)])
def test_equals_a_loop_whatever_the_blocks(monkeypatch, wanted, width, cells):
    monkeypatch.setattr(blocks, "MOST_CANDIDATES", width)
    monkeypatch.setattr(negatives, "CELLS", cells)
    q, c, own, right = vectors()
    score = q.astype(float) @ c.T.astype(float)
    search = vector_search(q, c, own)
    found = hard_negatives(search, right, wanted, candidates=CANDIDATES)
    assert found.index_QK.tolist() == loop(score, own, right, wanted)
    there = found.index_QK >= 0
    expected = np.take_along_axis(score, np.maximum(found.index_QK, 0), axis=1)
    np.testing.assert_array_equal(found.score_QK, np.where(there, expected, -np.inf))
    np.testing.assert_array_equal(found.own_Q, score[np.arange(QUERIES), own])
    # Controls: the right ones were in the way, and ties are met.
    assert loop(score, own, [[]] * QUERIES, wanted) != found.index_QK.tolist()
    ties = there[:, 1:] & (found.score_QK[:, 1:] == found.score_QK[:, :-1])
    assert ties.any()


TEXTS = ["read", "write", "file", "open", "socket", "parse", "json", "http", "server", "sort"]


@every_wanted
@pytest.mark.parametrize(("rows", "cells"), [(256, 2**20), (4, 300)])
def test_bm25_equals_a_loop_and_shares_a_word(monkeypatch, wanted, rows, cells):
    monkeypatch.setattr(blocks, "MOST_QUERIES", rows)
    monkeypatch.setattr(negatives, "CELLS", cells)
    random = np.random.default_rng(1)
    codes, queries = (
        [" ".join(random.choice(TEXTS, random.integers(1, longest))) for _ in range(n)]
        for n, longest in ((CANDIDATES, 9), (QUERIES, 4))
    )
    queries[7] = "zebra"
    _, _, own, right = vectors()
    score = np.concatenate(list(Bm25(codes).score_blocks(queries)))
    positive = np.where(score > 0, score, -np.inf)
    positive[np.arange(QUERIES), own] = score[np.arange(QUERIES), own]
    search = bm25_search(queries, codes, own)
    found = hard_negatives(search, right, wanted, candidates=CANDIDATES)
    assert found.index_QK.tolist() == loop(positive, own, right, wanted)
    assert (found.index_QK[7] == -1).all()
    # The control: without a word in common they would be the first of the data.
    if wanted.absolute_margin is None and wanted.relative_margin is None:
        assert loop(score, own, right, wanted)[7][0] >= 0


def test_no_matrix_of_all_scores(monkeypatch):
    """Each block of scores is counted on the device, and all arrays of the host are weighed."""
    shapes = []

    def counted(q, c):
        shapes.append((q.shape[0], c.shape[0]))
        return blocks.scores(q, c)

    monkeypatch.setattr(ranking, "scores", counted)
    monkeypatch.setattr(blocks, "MOST_CANDIDATES", 512)
    monkeypatch.setattr(negatives, "CELLS", 2**14)
    random = np.random.default_rng(2)
    many = 3000
    q, c = random.normal(size=(2, many, 4)).astype(np.float32)
    own = np.arange(many)
    search = vector_search(q, c, own)
    jax.clear_caches()
    tracemalloc.start()
    hard_negatives(search, own[:, None].tolist(), Wanted(2, last=10), candidates=many)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shapes and all(shape == (256, 512) for shape in shapes)
    assert peak < 8 * many * many / 4  # a quarter of the float64 matrix


def test_bm25_holds_blocks_of_rows(monkeypatch):
    monkeypatch.setattr(blocks, "MOST_QUERIES", 16)
    largest = []

    def counted(score_RM, k):
        largest.append(score_RM.shape)
        return ranking.top_scores(score_RM, k)

    monkeypatch.setattr(negatives, "top_scores", counted)
    codes = [" ".join(np.random.default_rng(m).choice(TEXTS, 3)) for m in range(100)]
    own = np.arange(100)
    search = bm25_search(codes, codes, own)
    hard_negatives(search, own[:, None].tolist(), Wanted(2), candidates=100)
    assert sum(rows for rows, _ in largest) == 100 and max(largest) == (16, 100)
