"""Hard negatives against a loop over the full matrix of scores, in memory that is not Q × M."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from softnce_jax.retrieval import blocks, negatives, ranking
from softnce_jax.retrieval.bm25 import Bm25
from softnce_jax.retrieval.negatives import Selection, bm25_search, hard_negatives, vector_search

QUERIES, CANDIDATES = 23, 90
SELECTIONS = {
    "the first": Selection(3),
    "all": Selection(CANDIDATES, last=CANDIDATES),
    "some ranks": Selection(4, first=3, last=11),
    "absolute margin": Selection(5, absolute_margin=1.0),
    "relative margin": Selection(5, relative_margin=0.3),
    "both margins": Selection(5, first=2, absolute_margin=0.5, relative_margin=0.05),
}
every_selection = pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)


def loop(score, positive, answers, selection):
    """Query by query, candidate by candidate, from the whole matrix."""
    found = []
    for q, row in enumerate(score):
        order = sorted(range(len(row)), key=lambda m: (-row[m], m))
        wrong = [m for m in order if m not in answers[q]]
        highest = math.inf
        if selection.absolute_margin is not None:
            highest = row[positive[q]] - selection.absolute_margin
        if selection.relative_margin is not None:
            highest = min(
                highest, row[positive[q]] - selection.relative_margin * abs(row[positive[q]])
            )
        ranked = wrong[selection.first - 1 : selection.last]
        mined = [m for m in ranked if row[m] <= highest and row[m] > -math.inf][: selection.k]
        found.append(mined + [-1] * (selection.k - len(mined)))
    return found


def vectors():
    """Whole numbers, so that scores are exact and many are equal."""
    random = np.random.default_rng(0)
    q, c = (random.integers(-2, 3, (n, 6)).astype(np.float32) for n in (QUERIES, CANDIDATES))
    positive = random.integers(0, CANDIDATES, QUERIES)
    answers = [sorted({int(m), *random.integers(0, CANDIDATES, n).tolist()})
               for m, n in zip(positive, random.integers(0, 9, QUERIES), strict=True)]  # fmt: skip
    answers[4] = list(range(0, CANDIDATES, 2))  # a text that half the data have
    answers[4] += [] if positive[4] % 2 == 0 else [int(positive[4])]
    return q, c, positive, answers


@every_selection
@pytest.mark.parametrize(("width", "cells"), [(2**17, 2**20), (16, 500), (56, 1)])
def test_equals_a_loop_whatever_the_blocks(monkeypatch, selection, width, cells):
    monkeypatch.setattr(blocks, "MAX_BLOCK_CANDIDATES", width)
    monkeypatch.setattr(negatives, "RESULTS_PER_SEARCH", cells)
    q, c, positive, answers = vectors()
    score = q.astype(float) @ c.T.astype(float)
    search = vector_search(q, c, positive)
    found = hard_negatives(search, answers, selection, candidates=CANDIDATES)
    assert found.index_QK.tolist() == loop(score, positive, answers, selection)
    there = found.index_QK >= 0
    expected = np.take_along_axis(score, np.maximum(found.index_QK, 0), axis=1)
    np.testing.assert_array_equal(found.score_QK, np.where(there, expected, -np.inf))
    np.testing.assert_array_equal(found.positive_Q, score[np.arange(QUERIES), positive])
    # Controls: the answers were in the way, and ties are met.
    assert loop(score, positive, [[]] * QUERIES, selection) != found.index_QK.tolist()
    ties = there[:, 1:] & (found.score_QK[:, 1:] == found.score_QK[:, :-1])
    assert ties.any()


TEXTS = ["read", "write", "file", "open", "socket", "parse", "json", "http", "server", "sort"]


@every_selection
@pytest.mark.parametrize(("rows", "cells"), [(256, 2**20), (4, 300)])
def test_bm25_equals_a_loop_and_shares_a_word(monkeypatch, selection, rows, cells):
    monkeypatch.setattr(blocks, "MAX_BLOCK_QUERIES", rows)
    monkeypatch.setattr(negatives, "RESULTS_PER_SEARCH", cells)
    random = np.random.default_rng(1)
    codes, queries = (
        [" ".join(random.choice(TEXTS, random.integers(1, longest))) for _ in range(n)]
        for n, longest in ((CANDIDATES, 9), (QUERIES, 4))
    )
    queries[7] = "zebra"
    _, _, positive, answers = vectors()
    score = np.concatenate(list(Bm25(codes).score_blocks(queries)))
    scored = np.where(score > 0, score, -np.inf)
    scored[np.arange(QUERIES), positive] = score[np.arange(QUERIES), positive]
    search = bm25_search(queries, codes, positive)
    found = hard_negatives(search, answers, selection, candidates=CANDIDATES)
    assert found.index_QK.tolist() == loop(scored, positive, answers, selection)
    assert (found.index_QK[7] == -1).all()
    # The control: without a word in common they would be the first of the data.
    if selection.absolute_margin is None and selection.relative_margin is None:
        assert loop(score, positive, answers, selection)[7][0] >= 0


def test_no_matrix_of_all_scores(monkeypatch):
    """Each block of scores is counted on the device, and all arrays of the host are weighed."""
    shapes = []

    def counted(q, c):
        shapes.append((q.shape[0], c.shape[0]))
        return blocks.scores(q, c)

    monkeypatch.setattr(ranking, "scores", counted)
    monkeypatch.setattr(blocks, "MAX_BLOCK_CANDIDATES", 512)
    monkeypatch.setattr(negatives, "RESULTS_PER_SEARCH", 2**14)
    random = np.random.default_rng(2)
    many = 3000
    # No other test has 5 dimensions: a program compiled before would count nothing.
    q, c = random.normal(size=(2, many, 5)).astype(np.float32)
    positive = np.arange(many)
    search = vector_search(q, c, positive)
    tracemalloc.start()
    hard_negatives(search, positive[:, None].tolist(), Selection(2, last=10), candidates=many)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shapes and all(shape == (256, 512) for shape in shapes)
    assert peak < 8 * many * many / 4  # a quarter of the float64 matrix


def test_bm25_holds_blocks_of_rows(monkeypatch):
    monkeypatch.setattr(blocks, "MAX_BLOCK_QUERIES", 16)
    largest = []

    def counted(score_RM, k):
        largest.append(score_RM.shape)
        return ranking.top_scores(score_RM, k)

    monkeypatch.setattr(negatives, "top_scores", counted)
    codes = [" ".join(np.random.default_rng(m).choice(TEXTS, 3)) for m in range(100)]
    positive = np.arange(100)
    search = bm25_search(codes, codes, positive)
    hard_negatives(search, positive[:, None].tolist(), Selection(2), candidates=100)
    assert sum(rows for rows, _ in largest) == 100 and max(largest) == (16, 100)
