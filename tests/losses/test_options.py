"""Cosine and both directions: by hand, and what must differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests import reference
from tests.losses.table import batch, gradients, loop_rows, ours, ours_rows


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_cosine_is_the_loss_of_unit_vectors():
    q, c, w = batch()
    expected = ours("soft_infonce", unit(q), unit(c), w, scale=5.0)
    value = ours("soft_infonce", 3 * q, c, w, scale=5.0, cosine=True)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert abs(ours("soft_infonce", 3 * q, c, w, scale=5.0) - expected) > 1e-2
    dq = gradients("soft_infonce", q, c, w, cosine=True)[0]
    np.testing.assert_allclose(np.sum(dq * q, axis=1), np.zeros(5), atol=1e-6)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_cosine_of_vectors_of_any_length(size):
    q, c, w = batch()
    expected = ours("soft_infonce", q, c, w, cosine=True)
    value = ours("soft_infonce", q * np.float32(size), c, w, cosine=True)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    dq = gradients("soft_infonce", q * np.float32(size), c, w, cosine=True)[0]
    wanted = gradients("soft_infonce", q, c, w, cosine=True)[0]
    np.testing.assert_allclose(dq * np.float32(size), wanted, rtol=1e-4, atol=1e-6)


def test_a_vector_of_zeros_has_cosine_zero_and_no_gradient():
    q, c, w = batch()
    q[1], c[3] = 0, 0
    value = ours("soft_infonce", q, c, w, cosine=True)
    expected = np.mean(loop_rows("soft_infonce", q, c, w, cosine=True))
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    dq, dc, dw = gradients("soft_infonce", q, c, w, cosine=True)
    assert all(np.isfinite(g).all() for g in (dq, dc, dw))
    assert not dq[1].any() and not dc[3].any() and dq[3].any() and dc[1].any()


def test_both_directions_by_hand():
    """Scores 1, 3 / 2, 6; the weights of the second direction are w transposed."""
    q, c = np.array([[1.0], [2.0]]), np.array([[1.0], [3.0]])
    w = np.array([[7.0, 0.5], [0.25, 7.0]])
    there = (math.log(math.e + 0.5 * math.e**3) - 1, math.log(math.e**6 + math.e**2 / 4) - 6)
    back = (math.log(math.e + math.e**2 / 4) - 1, math.log(math.e**6 + 0.5 * math.e**3) - 6)
    rows = ours_rows("soft_infonce", q, c, w, symmetric=True)
    np.testing.assert_allclose(rows, (np.array(there) + back) / 2, rtol=1e-6)


def test_the_second_direction_is_the_loss_with_the_sides_changed():
    q, c, w = batch(5, 5)
    there, back = ours("soft_infonce", q, c, w), ours("soft_infonce", c, q, w.T)
    both = ours("soft_infonce", q, c, w, symmetric=True)
    np.testing.assert_allclose(both, (there + back) / 2, rtol=1e-6)
    # The control: weights that are not transposed.
    assert abs(both - (there + ours("soft_infonce", c, q, w)) / 2) > 1e-2
    changed = ours("soft_infonce", c, q, w.T, symmetric=True)
    np.testing.assert_allclose(changed, both, rtol=1e-6)


def test_explicit_negatives_look_for_no_query():
    q, c, w = batch()
    there = ours("soft_infonce", q, c, w)
    back = ours("soft_infonce", c[:5], q, w[:, :5].T)
    both = ours("soft_infonce", q, c, w, symmetric=True)
    np.testing.assert_allclose(both, (there + back) / 2, rtol=1e-6)
    assert abs(both - ours("soft_infonce", q, c[:5], w[:, :5], symmetric=True)) > 1e-2


def test_a_shared_candidate_is_looked_for_by_both_its_queries():
    """Queries 0 and 2 have candidate 1: neither is a negative of it."""
    q, c, w = batch()
    positive = np.array([1, 0, 1, 4, 3])
    rows = ours_rows("soft_infonce", q, c, w, positive=positive, symmetric=True)
    there = ours_rows("soft_infonce", q, c, w, positive=positive)
    score = q @ c.T
    for i in (0, 2):
        above = sum(w[j, 1] * np.exp(score[j, 1] - score[i, 1]) for j in (1, 3, 4))
        np.testing.assert_allclose(2 * rows[i] - there[i], np.log1p(above), rtol=1e-4, atol=1e-6)
    loop = reference.soft_infonce(q, c, w, positive=positive, symmetric=True)
    np.testing.assert_allclose(rows, loop, rtol=1e-5)
