"""Losses with a target p or a similarity: by hand, at the edges of float32, in the limit."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax import negative_distribution
from tests import reference
from tests.losses.table import LOSSES, arrays, batch, gradients, loop, ours, ours_rows

OF_P = [name for name, row in LOSSES.items() if row.target == "p"]
every_loss_of_p = pytest.mark.parametrize("name", OF_P)
ONE = np.array([[1.0]])
# One query at 1: the scores are the candidates. The positive first.
EQUAL, P = np.zeros((3, 1)), np.array([[7.0, 0.25, 0.75]])


def test_equal_scores_by_hand():
    """Shares of 1/3 each, of 1/2 among the negatives."""
    third = math.log(3)
    np.testing.assert_allclose(ours("weighted_infonce", ONE, EQUAL, P), 2 * third, rtol=1e-6)
    # −log 1/3 twice in all, −log 2/3 once: 0.75 + 0.25.
    np.testing.assert_allclose(
        ours("bce", ONE, EQUAL, P), (2 * third - math.log(2 / 3)) / 3, rtol=1e-6
    )
    kl = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    np.testing.assert_allclose(
        ours("kl_regularized", ONE, EQUAL, P), 1.3 * third + 0.7 * kl, rtol=1e-6
    )


def test_cancellation_by_hand():
    c, similarity = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[1.0, 0.9, 0.2, 0.6]])
    left = math.log(math.e + math.e**3) - 1  # the third candidate is
    np.testing.assert_allclose(ours("cancel_top_k", ONE, c, similarity), left, rtol=1e-6)
    loss = ours("cancel_threshold", ONE, c, similarity, ratio=0.6)
    np.testing.assert_allclose(loss, left, rtol=1e-6)  # 0.6 is not below 0.6 · 1
    assert ours("cancel_threshold", ONE, c, similarity, ratio=0.61) > left + 0.1


@pytest.mark.parametrize("k", range(4))
def test_of_equal_similarities_the_first_is_cancelled(k):
    """Candidate j adds 2^j, so the sum says which are left; the positive is the last."""
    c = math.log(2) * np.arange(6.0)[:, None]
    similarity = np.array([[2.0, 1.0, 2.0, 2.0, 1.0, 9.0]])
    left = [0, 2, 3, 1, 4][k:]
    loss = ours("cancel_top_k", ONE, c, similarity, k=k, positive=np.array([5]))
    np.testing.assert_allclose(loss, math.log(32 + sum(2**j for j in left)) - math.log(32), 1e-6)


def test_no_similarity_is_too_low_to_be_cancelled():
    similarity = np.array([[0.0, -np.inf, -np.inf, 1.0]])
    c = math.log(2) * np.arange(4.0)[:, None]
    where = np.array([[True, True, False, True]])
    one = ours("cancel_top_k", ONE, c, similarity, k=1, where=where)
    np.testing.assert_allclose(one, math.log(3), rtol=1e-6)
    assert ours("cancel_top_k", ONE, c, similarity, k=2, where=where) == 0


@pytest.mark.parametrize("name", ["cancel_top_k", "cancel_threshold"])
def test_what_is_cancelled_gets_no_gradient(name):
    """In row 0, the only one that counts, columns 2 and 5 are the most similar."""
    q, c, similarity = arrays(name, *batch())
    for most in (1e4, np.inf):
        similarity[0, 0], similarity[0, [2, 5]] = 2.0, most
        dc = np.asarray(gradients(name, q, c, similarity, where=np.arange(5) == 0)[1])
        assert not dc[[2, 5]].any() and np.isfinite(dc).all() and dc[0].any()
        c[[2, 5]] *= 10
        again = gradients(name, q, c, similarity, where=np.arange(5) == 0)[1]
        np.testing.assert_allclose(again, dc, rtol=1e-6)


def test_a_row_with_fewer_negatives_than_k_is_zero():
    q, c, similarity = arrays("cancel_top_k", *batch())
    where = np.ones((5, 7), bool)
    where[1], where[1, [1, 4, 6]] = False, True
    rows = ours_rows("cancel_top_k", q, c, similarity, where=where)
    assert rows[1] == 0 and (np.delete(rows, 1) > 0).all()
    assert not gradients("cancel_top_k", q, c, similarity, where=where)[0][1].any()


@every_loss_of_p
@pytest.mark.parametrize("size", [3.0, 300.0])
@pytest.mark.parametrize("kind", ["one-hot", "underflow", "zero"])
def test_p_at_its_edges(name, size, kind):
    """One negative has all of p, p of the others underflows, or p is 0 everywhere."""
    q, c, similarity = batch(5, 7)
    if kind == "one-hot":
        p = np.eye(7, k=2)[:5]
    elif kind == "zero":
        p = np.zeros((5, 7))
    else:
        p = negative_distribution(jnp.asarray(similarity), temperature=0.012)
        assert ((p > 0) & (p < 1e-30)).any() and (p == 0).any()
    parts = np.sign(q), np.sign(c), np.asarray(p, np.float32)
    value, slopes = ours(name, *parts, scale=size / 4), gradients(name, *parts, scale=size / 4)
    np.testing.assert_allclose(value, loop(name, *parts, scale=size / 4), rtol=2e-6)
    assert all(np.isfinite(g).all() for g in slopes)
    for k in range(2):
        expected = reference.differences(
            lambda x, k=k: loop(name, *parts[:k], x, *parts[k + 1 :], scale=size / 4), parts[k]
        )
        np.testing.assert_allclose(slopes[k], expected, rtol=1e-4, atol=1e-5 * size)


@pytest.mark.parametrize("gap", [20.0, 104.0, 1e4])
def test_bce_keeps_the_gradient_of_a_certain_mistake(gap):
    """The published code's is 0 from a gap of 17 on. Three terms: two are gap, one is log 2-ish."""
    parts = ONE, np.array([[0.0], [gap], [0.0]]), np.array([[0.0, 0.0, 0.0]])
    # The negative has all of the row: −log x of the positive and −log(1 − x) of the negative.
    np.testing.assert_allclose(ours("bce", *parts), (2 * gap - math.log(2)) / 3, rtol=1e-6)
    np.testing.assert_allclose(gradients("bce", *parts)[0], [[2 * gap / 3]], rtol=1e-5)


def test_weighted_infonce_is_not_capped():
    parts = ONE, np.array([[0.0], [300.0], [100.0]]), np.array([[0.0, 0.0, 1.0]])
    np.testing.assert_allclose(ours("weighted_infonce", *parts), 300 + 200, rtol=1e-6)


NO_P, FULL_P = np.zeros((5, 7)), np.ones((5, 7))
# name: the target and settings with which a loss is InfoNCE, and others with which it is not
LIMITS = {
    "weighted_infonce": ((NO_P, {}), (FULL_P, {})),
    "kl_regularized": ((FULL_P, {"alpha": 0.0, "beta": 1.0}), (FULL_P, {"alpha": 0.1, "beta": 1})),
    "cancel_top_k": ((FULL_P, {"k": 0}), (FULL_P, {"k": 1})),
    "cancel_threshold": ((FULL_P, {"ratio": 1.1}), (FULL_P, {"ratio": 1.0})),
    "cosine": ((FULL_P, {"cosine": False, "scale": 1.0}), (FULL_P, {})),
    "symmetric": ((FULL_P, {"symmetric": False}), (FULL_P, {})),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_infonce(name):
    q, c, _ = batch()
    plain = ours("infonce", q, c)
    (target, settings), (other, changed) = LIMITS[name]
    np.testing.assert_allclose(ours(name, q, c, target, **settings), plain, rtol=1e-6)
    assert abs(ours(name, q, c, other, **changed) - plain) > 1e-2


@pytest.mark.parametrize("name", ["bce", "kl_regularized"])
def test_limits_with_one_negative(name):
    """With two candidates both terms of BCE are −log x of the positive; KL(1 ‖ 1) is 0."""
    q, c, _ = batch()
    p = np.full((5, 7), 0.0 if name == "bce" else 1.0)
    settings = {} if name == "bce" else {"alpha": 5.0, "beta": 1.0}
    two = np.eye(5, 7, dtype=bool) | np.eye(5, 7, k=1, dtype=bool)
    plain = ours("infonce", q, c, where=two)
    np.testing.assert_allclose(ours(name, q, c, p, where=two, **settings), plain, rtol=1e-6)
    assert abs(ours(name, q, c, p, **settings) - ours("infonce", q, c)) > 1e-2


def test_kl_is_least_where_the_model_has_the_distribution_of_the_target():
    q, c, similarity = batch()
    p = negative_distribution(jnp.asarray(q @ c.T), temperature=1.0)
    options = {"alpha": 1.0, "beta": 0.0}
    assert abs(ours("kl_regularized", q, c, p, **options)) < 1e-6
    assert all(np.abs(g).max() < 1e-6 for g in gradients("kl_regularized", q, c, p, **options)[:2])
    other = negative_distribution(jnp.asarray(similarity), temperature=1.0)
    assert ours("kl_regularized", q, c, other, **options) > 1e-2
