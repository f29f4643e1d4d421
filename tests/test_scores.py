"""`unit_length`: the bits of x / |x|, and vectors of any length."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax._scores import unit_length

TINY, LARGEST = np.finfo(np.float32).tiny, np.finfo(np.float32).max


def plain(x_RD):
    """x / |x| without any care for overflow, as encoders divided before."""
    squared_R1 = jnp.sum(x_RD**2, axis=1, keepdims=True)
    is_zero_R1 = squared_R1 == 0
    return jnp.where(is_zero_R1, 0, x_RD * jax.lax.rsqrt(jnp.where(is_zero_R1, 1, squared_R1)))


def value_and_cotangent(function):
    """(vectors, cotangent of the result) -> (the result, cotangent of the vectors)."""

    def both(x_RD, g_RD):
        value, vjp = jax.vjp(function, x_RD)
        return value, vjp(g_RD)[0]

    return jax.jit(both)


careful, plainly = value_and_cotangent(unit_length), value_and_cotangent(plain)


def bits(arrays):
    return [np.asarray(x).view(np.uint32) for x in arrays]


@pytest.mark.parametrize("width", [2, 7, 768])  # of one, the gradient is all rounding error
def test_the_bits_are_those_of_a_plain_division(width):
    """So vectors, losses and their gradients are the same with either."""
    random = np.random.default_rng(0)
    g = np.float32(random.normal(size=(65, width)))
    for size in (1e-3, 1.0, 30.0, 1e6):
        x = np.float32(random.normal(size=(65, width)) * size)
        x[0] = 0
        for ours, theirs in zip(bits(careful(x, g)), bits(plainly(x, g)), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    # The control: the correctly rounded result has other bits.
    exact = np.float64(x[1:]) / np.linalg.norm(np.float64(x[1:]), axis=1, keepdims=True)
    assert (np.float32(exact) != np.asarray(careful(x, g)[0])[1:]).any()


@pytest.mark.parametrize("size", [8 * TINY, 1e-30, 1e-20, 1e20, 1e38, LARGEST])
def test_vectors_of_any_length(size):
    """The plain division gives 0 or NaN at these."""
    direction = np.array([[1.0, -0.5, 0.25, 0.0]])
    expected = direction / np.linalg.norm(direction)
    x, g = jnp.asarray(direction * size, jnp.float32), jnp.ones((1, 4))
    for value in (unit_length(x), careful(x, g)[0]):
        np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert not np.allclose(plain(x), expected, rtol=1e-2)
    # (g − (g · y) y) / |x|; below the smallest normal number a CPU gives 0.
    slope = (1 - expected.sum() * expected) / np.linalg.norm(direction) / np.float64(size)
    if np.abs(slope).min() > TINY:
        np.testing.assert_allclose(np.float64(careful(x, g)[1]), slope, rtol=1e-5)
    else:
        assert np.isfinite(careful(x, g)[1]).all()


def test_zeros_and_subnormal_numbers_stay_finite():
    x = jnp.asarray([[0.0, -0.0, 0.0], [1e-45, 3e-45, 0.0], [1e-40, 1.0, 0.0]], jnp.float32)
    value, gradient = careful(x, jnp.ones_like(x))
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    assert not value[0].any() and not gradient[0].any()
    np.testing.assert_array_equal(value[2], [0, 1, 0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_nan_or_infinity_shows_in_its_row_alone(bad):
    x = jnp.asarray([[3.0, 4.0], [bad, 1.0]], jnp.float32)
    value, gradient = careful(x, jnp.ones_like(x))
    np.testing.assert_allclose(value[0], [0.6, 0.8], rtol=1e-6)
    assert np.isnan(value[1]).any() and np.isnan(gradient[1]).any()
    assert np.isfinite(gradient[0]).all()


def test_the_result_is_float32():
    x = jnp.asarray([[3.0, 4.0]], jnp.bfloat16)
    assert unit_length(x).dtype == jnp.float32
    np.testing.assert_allclose(unit_length(x), [[0.6, 0.8]], rtol=1e-6)
