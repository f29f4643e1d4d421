"""Alignment and uniformity against float64 loops over pairs."""

from __future__ import annotations

import inspect
import math

import jax
import numpy as np
import pytest

from softnce_jax.retrieval.uniformity import DISTANCE_ROWS, alignment, uniformity
from tests.retrieval import reference


def unit(rows, dimensions=8, *, seed=0, spread=1.0):
    """Random unit vectors; the smaller `spread`, the nearer to one another."""
    x = np.random.default_rng(seed).normal(size=(rows, dimensions)) * spread
    x[:, 0] += 1.0
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 3.0])
def test_alignment_is_the_mean_distance_to_a_power(alpha):
    x, y = unit(7), unit(7, seed=1)
    wanted = reference.alignment(x, y, alpha)
    assert float(alignment(x, y, alpha=alpha)) == pytest.approx(wanted, rel=1e-6)
    assert abs(reference.alignment(x, y, alpha + 0.5) - wanted) > 1e-2
    assert float(alignment(x, x, alpha=alpha)) == 0.0


@pytest.mark.parametrize("t", [0.5, 2.0])
@pytest.mark.parametrize("spread", [1e-2, 1.0])
def test_uniformity_is_the_log_of_the_mean_potential(t, spread):
    x = unit(9, spread=spread)
    wanted = reference.uniformity(x, t)
    assert float(uniformity(x, t=t)) == pytest.approx(wanted, abs=2e-6)
    # The control: with each vector beside itself the mean is another.
    assert abs(reference.uniformity(x, t, itself=True) - wanted) > (1e-5 if spread < 1 else 1e-2)


@pytest.mark.parametrize(
    "rows", [DISTANCE_ROWS - 1, DISTANCE_ROWS, DISTANCE_ROWS + 1, 2 * DISTANCE_ROWS + 37]
)
def test_blocks_do_not_change_it(rows):
    x = unit(rows).astype(np.float64)
    squared = ((x[:, None] - x[None]) ** 2).sum(-1)[~np.eye(rows, dtype=bool)]
    wanted = math.log(np.exp(-2 * squared).mean())
    assert float(uniformity(x.astype(np.float32))) == pytest.approx(wanted, abs=1e-5)


def test_bounds():
    same = np.repeat(unit(1), 5, axis=0)
    assert float(uniformity(same)) == pytest.approx(0.0, abs=1e-6)
    assert float(uniformity(np.concatenate([same[:1], -same[:1]]))) == pytest.approx(-8.0)
    assert float(alignment(same, -same)) == pytest.approx(4.0)


def test_far_vectors_do_not_underflow():
    far = np.array([[10.0, 0.0], [-10.0, 0.0]], np.float32)
    assert float(uniformity(far)) == pytest.approx(-800.0)


def test_rotations_and_order_do_not_matter():
    x = unit(20)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(8, 8)))[0].astype(np.float32)
    for other in (x @ turn, x[::-1]):
        assert float(uniformity(other)) == pytest.approx(float(uniformity(x)), abs=1e-5)


def test_under_jit():
    x, y = unit(7), unit(7, seed=1)
    assert float(jax.jit(uniformity)(x)) == pytest.approx(float(uniformity(x)), abs=1e-6)
    assert float(jax.jit(alignment)(x, y)) == pytest.approx(float(alignment(x, y)), abs=1e-6)


def test_too_few_vectors():
    with pytest.raises(ValueError, match="1 vectors have no pairs"):
        uniformity(unit(1))
    with pytest.raises(ValueError, match=r"vectors \(0, 8\) and \(0, 8\)"):
        alignment(unit(0), unit(0))
    with pytest.raises(ValueError, match=r"vectors \(2, 8\) and \(3, 8\)"):
        inspect.unwrap(alignment)(unit(2), unit(3))
