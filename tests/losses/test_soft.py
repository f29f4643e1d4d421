"""InfoNCE and Soft-InfoNCE: values by hand, gradients at the edges of float32, limits."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax import negative_weights
from tests.losses.table import batch, gradients, loop, ours, ours_rows


def test_the_loss_by_hand():
    q, c = np.array([[1.0], [2.0]]), np.array([[1.0], [3.0]])  # scores 1, 3 and 2, 6
    w = np.array([[7.0, 0.5], [0.25, 7.0]])
    expected = (math.log(math.e + 0.5 * math.e**3) - 1, math.log(math.e**6 + math.e**2 / 4) - 6)
    rows = ours_rows("soft_infonce", q, c, w)
    np.testing.assert_allclose(rows, expected, rtol=1e-6)


@pytest.mark.parametrize("gap", [30.0, 104.0, 1e4])
def test_a_hard_row_keeps_its_gradient(gap):
    """The published code's fades from −0.99 to 0."""
    dq = gradients("soft_infonce", [[gap]], [[0.0], [1.0]], [[1.0, 1.0]])[0]
    np.testing.assert_allclose(dq, [[1.0]], rtol=1e-6)
    dc = gradients("soft_infonce", [[gap]], [[0.0], [1.0]], [[1.0, 1.0]])[1]
    np.testing.assert_allclose(dc, [[-gap], [gap]], rtol=1e-6)


@pytest.mark.parametrize("gap", [20.0, 60.0])
def test_an_easy_row_keeps_value_and_gradient(gap):
    """P − 1 and log(1 + e^−20) would both round to 0."""
    parts = [[1.0]], [[gap], [0.0]], [[1.0, 0.5]]
    np.testing.assert_allclose(ours("soft_infonce", *parts), 0.5 * math.exp(-gap), rtol=1e-5)
    dq, dc, _ = gradients("soft_infonce", *parts)
    np.testing.assert_allclose(dq, [[-gap * 0.5 * math.exp(-gap)]], rtol=1e-5)
    np.testing.assert_allclose(dc[0], -0.5 * math.exp(-gap), rtol=1e-5)


@pytest.mark.parametrize("x", [-20.0, 0.0, 5.0, 60.0])
def test_gradient_in_w_at_zero(x):
    """One negative of weight 0 at score x, one of weight 1 at score 2, the positive at 0."""
    q, c, w = [[1.0]], [[0.0], [x], [2.0]], [[1.0, 0.0, 1.0]]
    np.testing.assert_allclose(ours("soft_infonce", q, c, w), math.log(1 + math.e**2), rtol=1e-6)
    dq, dc, dw = gradients("soft_infonce", q, c, w)
    p = math.e**2 / (1 + math.e**2)
    np.testing.assert_allclose(dw[0, 1], math.exp(x) / (1 + math.e**2), rtol=2e-5)
    np.testing.assert_allclose(dc[:, 0], [-p, 0.0, p], rtol=1e-6)
    np.testing.assert_allclose(dq, [[2 * p]], rtol=1e-6)


def test_a_zero_weight_far_above_sets_no_shift():
    q, c, w = [[1.0]], [[0.0], [500.0], [2.0]], [[1.0, 0.0, 1.0]]
    np.testing.assert_allclose(ours("soft_infonce", q, c, w), math.log(1 + math.e**2), rtol=1e-6)
    dq, dc, dw = gradients("soft_infonce", q, c, w)
    p = math.e**2 / (1 + math.e**2)
    np.testing.assert_allclose(dc[:, 0], [-p, 0.0, p], rtol=1e-6)
    np.testing.assert_allclose(dq, [[2 * p]], rtol=1e-6)
    assert 1e36 < dw[0, 1] < np.inf, "e^500 is beyond float32: it saturates"


def test_weights_all_zero():
    q, c, _ = batch()
    w = np.zeros((5, 7))
    assert ours("soft_infonce", q, c, w) == 0
    dq, dc, dw = gradients("soft_infonce", q, c, w)
    assert not dq.any() and not dc.any()
    score = q @ c.T
    expected = np.exp(score - np.diag(score)[:, None]) / 5
    expected[np.arange(5), np.arange(5)] = 0
    np.testing.assert_allclose(dw, expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [1.2e-38, 1e-30, 1e-3, 1e30, 3e38])
@pytest.mark.parametrize("x", [-80.0, 0.0, 80.0, 200.0])
def test_any_weight_at_any_score(weight, x):
    parts = [[1.0]], [[0.0], [x], [1.0]], [[1.0, weight, 0.0]]
    weight = float(np.float32(weight))
    np.testing.assert_allclose(
        ours("soft_infonce", *parts), loop("soft_infonce", *parts), rtol=1e-5, atol=1e-37
    )
    p = 1 / (1 + math.exp(-min(x + math.log(weight), 700)))
    np.testing.assert_allclose(gradients("soft_infonce", *parts)[0], [[x * p]], 3e-5, atol=1e-37)


def test_unit_weights_are_infonce():
    q, c, w = batch()
    plain = ours("infonce", q, c)
    np.testing.assert_allclose(ours("soft_infonce", q, c, np.ones_like(w)), plain, rtol=1e-6)
    np.testing.assert_allclose(ours("soft_infonce", q, c), plain, rtol=1e-6)
    assert abs(ours("soft_infonce", q, c, w) - plain) > 1e-2


@pytest.mark.parametrize(
    ("candidates", "alpha", "temperature", "equal"),
    [(5, 0.0, 1.0, True), (5, 1.0, 1e6, True), (2, 1.5, 0.1, True), (5, 1.0, 1.0, False)],
    ids=["alpha 0", "large t", "two candidates", "control"],
)
def test_limits_of_soft_infonce(candidates, alpha, temperature, equal):
    q, c, w = batch(candidates, candidates)
    settings = {"alpha": alpha, "beta": 0.7, "temperature": temperature}
    w = jax.jit(negative_weights)(jnp.asarray(w), **settings)
    gap = abs(ours("soft_infonce", q, c, w) - ours("infonce", q, c))
    assert gap < 1e-5 if equal else gap > 1e-3


def test_a_weight_below_zero_is_nan():
    q, c, w = batch()
    w[1, 3] = -0.1
    rows = ours_rows("soft_infonce", q, c, w)
    assert np.isnan(rows).tolist() == [False, True, False, False, False]


def test_a_positive_that_is_no_column_is_nan():
    q, c, _ = batch()
    rows = ours_rows("infonce", q, c, positive=np.array([0, 1, 7, 3, -1]))
    assert np.isnan(rows).tolist() == [False, False, True, False, True]
