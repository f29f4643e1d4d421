"""Every loss of the table against float64 loops: one test for each property."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import reference
from tests.losses.table import (
    LOSSES,
    SYMMETRIC,
    arrays,
    batch,
    every_loss,
    every_one_way_loss,
    every_option,
    function,
    gradients,
    loop,
    loop_rows,
    ours,
    ours_rows,
    result,
)


@every_loss
@every_option
def test_value_and_gradients_are_those_of_the_loop(name, options):
    parts = arrays(name, *batch())
    got = result(name, *parts, **options)
    np.testing.assert_allclose(got.value, loop(name, *parts, **options), 3e-6)
    for k, gradient in enumerate(got.gradients):

        def at(x, k=k):
            return loop(name, *parts[:k], x, *parts[k + 1 :], **options)

        expected = reference.differences(at, parts[k])
        np.testing.assert_allclose(gradient, expected, atol=3e-6, rtol=1e-5)
        if k < 2 or LOSSES[name].target != "similarity":
            assert np.abs(expected).max() > 1e-2, "the tolerance is far below the gradient"


@every_loss
@every_option
def test_rows_are_those_of_the_loop(name, options):
    parts = arrays(name, *batch())
    expected = [0.0 if x is None else x for x in loop_rows(name, *parts, **options)]
    got = result(name, *parts, **options)
    np.testing.assert_allclose(got.rows, expected, rtol=1e-5)
    np.testing.assert_allclose(got.total, sum(expected), rtol=1e-5)


@every_loss
@pytest.mark.parametrize("size", [300.0, 1e4])
def test_extreme_scores(name, size):
    """Scores between ±size, many of them equal."""
    q, c, target = batch()
    parts = arrays(name, np.sign(q), np.sign(c), target)
    expected = loop(name, *parts, scale=size / 4)
    assert expected > size / 50
    np.testing.assert_allclose(ours(name, *parts, scale=size / 4), expected, rtol=1e-6)
    slopes = gradients(name, *parts, scale=size / 4)
    assert all(np.isfinite(g).all() for g in slopes) and np.abs(slopes[0]).max() > 1


@every_loss
def test_permutation(name):
    rows, columns = np.random.default_rng(1).permutation(5), np.random.default_rng(2).permutation(7)
    q, c, *target = arrays(name, *batch())
    moved = q[rows], c[columns], *(x[rows][:, columns] for x in target)
    positive = np.argsort(columns)[rows]
    expected = ours(name, q, c, *target)
    np.testing.assert_allclose(ours(name, *moved, positive=positive), expected, rtol=1e-6)
    assert abs(ours(name, *moved) - expected) > 1e-2


KEPT_ROWS, KEPT_COLUMNS = np.array([0, 2, 3]), np.array([0, 2, 3, 5, 6])


@functools.cache
def dropped_loss_and_gradients(name):
    """By the loop and by finite differences, of a batch without the other rows and columns."""
    q, c, *target = arrays(name, *batch())
    pairs = np.ix_(KEPT_ROWS, KEPT_COLUMNS)
    parts = q[KEPT_ROWS], c[KEPT_COLUMNS], *(x[pairs] for x in target)
    slopes = [
        reference.differences(lambda x, k=k: loop(name, *parts[:k], x, *parts[k + 1 :]), part)
        for k, part in enumerate(parts)
    ]
    return loop(name, *parts), slopes


@every_loss
@pytest.mark.parametrize("fill", [1.0, np.nan, np.inf])
def test_masked_equals_dropped(name, fill):
    keep, columns = KEPT_ROWS, KEPT_COLUMNS
    where = np.isin(np.arange(5), keep)[:, None] & np.isin(np.arange(7), columns)
    masked = q, c, *target = arrays(name, *batch())
    q[[1, 4]] = c[[1, 4]] = fill
    for x in target:
        x[~where] = fill
    expected, slopes = dropped_loss_and_gradients(name)
    np.testing.assert_allclose(ours(name, *masked, where=where), expected, rtol=1e-6)
    got = gradients(name, *masked, where=where)
    for g, d, index in zip(got, slopes, (keep, columns, np.ix_(keep, columns)), strict=False):
        np.testing.assert_allclose(g[index], d, atol=1e-6)
        np.testing.assert_allclose(np.abs(g).sum(), np.abs(d).sum(), rtol=1e-5, atol=1e-7)
    assert not abs(ours(name, *masked) - expected) < 1e-3


@every_one_way_loss
def test_rows_left_out_stay_negatives_of_others(name):
    keep = np.array([True, False, True, True, True])
    parts = arrays(name, *batch(seed=3))  # one in which no loss cancels all of column 1
    rows = ours_rows(name, *parts)
    np.testing.assert_allclose(ours(name, *parts, where=keep), np.mean(rows[keep]), rtol=1e-6)
    pairs = ours(name, *parts, where=keep[:, None] & np.append(keep, [True, True]))
    assert abs(pairs - np.mean(rows[keep])) > 1e-3


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_query_left_out_is_looked_for_by_none(name):
    parts, keep = arrays(name, *batch()), np.array([True, False, True, True, True])
    expected = [x for x in loop_rows(name, *parts, where=keep) if x is not None]
    np.testing.assert_allclose(ours(name, *parts, where=keep), np.mean(expected), rtol=1e-6)
    parts[0][1] = np.nan
    np.testing.assert_allclose(ours(name, *parts, where=keep), np.mean(expected), rtol=1e-6)
    whole = ours_rows(name, *arrays(name, *batch()))
    assert abs(np.mean(whole[keep]) - np.mean(expected)) > 1e-3


@every_loss
@pytest.mark.parametrize("shape", [(5,), (5, 7)])
def test_everything_left_out_is_zero(name, shape):
    q, c, w = batch()
    for fill in (1.0, np.nan):
        parts = arrays(name, q * fill, c * fill, w * fill)
        assert ours(name, *parts, where=np.zeros(shape, bool)) == 0
        assert not any(g.any() for g in gradients(name, *parts, where=np.zeros(shape, bool)))


@every_loss
def test_a_row_without_negatives_is_zero(name):
    q, c, w = batch()
    where = np.ones((5, 7), bool)
    where[1] = where[:, 1] = False  # in either direction
    where[1, 1] = True
    parts = arrays(name, q, c, w)
    rows = ours_rows(name, *parts, where=where)
    assert rows[1] == 0 and (np.delete(rows, 1) > 0).all()
    np.testing.assert_allclose(ours(name, *parts, where=where), rows.sum() / 5, rtol=1e-6)
    assert not gradients(name, *parts, where=where)[0][1].any()


@every_loss
def test_a_nan_shows(name):
    some = np.array([True, False, True, False, False])
    for k, part in enumerate(arrays(name, *batch())):
        parts = list(arrays(name, *batch()))
        parts[k] = part.copy()
        parts[k][2, 3] = np.nan
        assert np.isnan(ours(name, *parts))
        assert np.isnan(ours(name, *parts, where=some))
        assert not np.isnan(ours(name, *parts, where=np.zeros(5, bool)))


@every_loss
def test_one_row_with_explicit_negatives(name):
    parts = arrays(name, *batch(1, 4))
    np.testing.assert_allclose(jax.jit(function(name))(*parts), loop(name, *parts), rtol=1e-5)


@every_loss
def test_duplicated_rows(name):
    """Rows 0 and 1 stand twice, column 0 three times, column 1 twice."""
    q, c, *target = arrays(name, *batch())
    q[2:4], c[2:4], c[5] = q[:2], c[:2], c[0]
    np.testing.assert_allclose(ours(name, q, c, *target), loop(name, q, c, *target), rtol=1e-5)


@every_loss
@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_low_precision_inputs_give_float32(name, dtype):
    q, c, w = batch(size=20.0)
    low = [jnp.asarray(x).astype(dtype) for x in arrays(name, q, c, w)]
    rounded = [np.asarray(x.astype(jnp.float32)) for x in low]
    loss, gradient = jax.jit(jax.value_and_grad(function(name)))(*low)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, loop(name, *rounded), rtol=1e-6)
    assert abs(loss / loop(name, *arrays(name, q, c, w)) - 1) > 5e-6, "rounding changes the loss"
    assert gradient.dtype == dtype
    expected = gradients(name, *rounded)[0]
    np.testing.assert_allclose(gradient.astype(jnp.float32), expected, rtol=1e-2, atol=1e-4)


@every_loss
def test_second_derivatives(name):
    """By jvp of the gradient: nothing in the losses stands in the way of forward mode."""
    q, *others = arrays(name, *batch())
    gradient = jax.grad(function(name))
    _, tangent = jax.jit(lambda q, *x: jax.jvp(lambda q: gradient(q, *x), (q,), (q,)))(q, *others)
    up, down = (gradients(name, q * size, *others)[0] for size in np.float32([1.01, 0.99]))
    expected = up - down
    np.testing.assert_allclose(tangent, expected / 2e-2, atol=1e-3)


@every_loss
def test_a_learned_scale_has_its_gradient(name):
    parts = arrays(name, *batch())
    slope = result(name, *parts, scale=2.0).scale_gradient["scale"]
    up, down = loop(name, *parts, scale=2 + 1e-5), loop(name, *parts, scale=2 - 1e-5)
    np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-5)
