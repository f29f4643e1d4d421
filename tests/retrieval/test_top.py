"""The best candidates against a full sort, and bad input."""

from __future__ import annotations

import numpy as np
import pytest

from softnce_jax.retrieval import blocks
from softnce_jax.retrieval.ranking import top_candidates, top_scores, vector_ranks


def sorted_all(q, c):
    score = np.array([[(a * b).sum() for b in c.astype(float)] for a in q.astype(float)])
    order = np.argsort(-score, axis=1, kind="stable")
    return order, np.take_along_axis(score, order, axis=1)


def vectors():
    random = np.random.default_rng(0)
    q, c = (random.normal(size=(n, 16)).astype(np.float32) for n in (11, 77))
    c[40] = c[3]
    return q, c


@pytest.mark.parametrize("width", [2**17, 16])
@pytest.mark.parametrize("k", [1, 10, 77, 500])
def test_equals_a_full_sort(monkeypatch, width, k):
    monkeypatch.setattr(blocks, "MOST_CANDIDATES", width)
    q, c = vectors()
    index, score = top_candidates(q, c, k)
    order, expected = sorted_all(q, c)
    assert index.shape == score.shape == (11, min(k, 77))
    np.testing.assert_array_equal(index, order[:, :k])
    np.testing.assert_allclose(score, expected[:, :k], rtol=1e-12)


def test_agrees_with_the_places():
    q, c = vectors()
    index, _ = top_candidates(q, c, 77)
    relevant = np.arange(11, dtype=np.int32)[:, None] + 4
    ranks = vector_ranks(q, c, relevant, np.ones_like(relevant))
    place = 1 + np.argmax(index == relevant, axis=1)
    np.testing.assert_array_equal(place, ranks.best_QG[:, 0])


def test_no_queries_find_nothing():
    q, c = vectors()
    assert top_candidates(q[:0], c, 5)[0].shape == (0, 5)


def test_rows_of_scores():
    index, score = top_scores(np.array([[1.0, 5.0, 5.0, 2.0], [0.0, -1.0, 3.0, 0.0]]), 3)
    assert index.tolist() == [[1, 2, 3], [2, 0, 3]]
    assert score.tolist() == [[5.0, 5.0, 2.0], [3.0, 0.0, 0.0]]


@pytest.mark.parametrize("k", [1, 7, 40, 99])
def test_rows_of_equal_scores_are_cut_by_index(k):
    score = np.random.default_rng(0).integers(0, 4, (9, 40)).astype(np.float32)
    index, found = top_scores(score, k)
    order = np.argsort(-score, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(index, order)
    np.testing.assert_array_equal(found, np.take_along_axis(score, order, axis=1))


def test_bad_input_is_named():
    q, c = vectors()
    with pytest.raises(ValueError, match="k is 0"):
        top_candidates(q, c, 0)
    with pytest.raises(ValueError, match=r"queries \(11, 15\)"):
        top_candidates(q[:, 1:], c, 3)
    c[7, 2] = np.nan
    with pytest.raises(ValueError, match=r"1 of 77 candidate vectors are not finite.*row 7"):
        top_candidates(q, c, 3)
