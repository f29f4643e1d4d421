"""Negative weights (Eq. 4), their distribution and their diagnostics against float64 loops."""

from __future__ import annotations

import functools
import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax import (
    negative_distribution,
    negative_weights,
    soft_infonce,
    weight_diagnostics,
)
from tests import reference
from tests.shared import shared_path

SETTINGS = {"alpha": 1.3, "beta": 0.7, "temperature": 0.5}


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        yield


def similarity(rows=6, candidates=9, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, candidates)).astype(np.float32)


# Compiled once for the shapes and the names of the options, numbers are arguments. Without `jit`
# in `test_the_same_without_jit_and_under_vmap`.
compiled = jax.jit(negative_weights, static_argnames="renormalize")
distribution = jax.jit(negative_distribution)


def ours(values, function=compiled, **options):
    options = {k: jnp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    return function(jnp.asarray(values), **{**SETTINGS, **options})


def loop(values, **options):
    return reference.negative_weights(values, **{**SETTINGS, **options})


PAIRS = np.random.default_rng(1).uniform(size=(6, 9)) > 0.25
PAIRS[np.arange(6), np.arange(6)] = True
PAIRS[2] = False
OPTIONS = {
    "plain": {},
    "floor 0": {"floor": 0.0},
    "sharp": {"temperature": 0.01},
    "positive": {"positive": np.array([8, 0, 0, 3, 5, 1])},
    "rows": {"where": np.arange(6) != 4},
    "pairs": {"where": PAIRS},
    "renormalized": {"renormalize": True, "floor": 0.5},
    "renormalized pairs": {"renormalize": True, "floor": 0.5, "where": PAIRS},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_weights_are_those_of_the_loop(options):
    w = ours(similarity(), **options)
    assert w.dtype == jnp.float32
    np.testing.assert_allclose(w, loop(similarity(), **options), atol=2e-6)
    assert np.ptp(w[0]) > 0.1, "these weights are not all alike"


def test_weights_by_hand():
    """Two negatives of similarity log 3 and 0: p = 3/4 and 1/4, w = (1 − p) / (1 − 1/2)."""
    w = ours(np.float32([[50.0, math.log(3.0), 0.0]]), alpha=1.0, beta=1.0, temperature=1.0)
    np.testing.assert_allclose(w, [[1.0, 0.5, 1.5]], rtol=1e-6)


@pytest.mark.parametrize("where", [None, np.arange(6) != 4, PAIRS], ids=["none", "rows", "pairs"])
def test_negatives_have_mean_one_without_the_floor(where):
    w = np.asarray(ours(similarity(), where=where, floor=0.0, temperature=5.0))
    count = np.full(6, 8)
    if where is not None:
        negative = np.broadcast_to(where.reshape(6, -1), (6, 9)) & ~np.eye(6, 9, dtype=bool)
        count = negative.sum(1)
        assert not w[~negative & ~np.eye(6, 9, dtype=bool)].any(), "left out: weight 0"
    np.testing.assert_allclose(w.sum(1) - 1, count, rtol=1e-5)
    np.testing.assert_array_equal(np.diag(w), 1)


def test_renormalizing_brings_the_mean_back():
    values, sharp = similarity(), {"temperature": 0.01, "floor": 0.1}
    np.testing.assert_allclose(ours(values, **sharp, renormalize=True).sum(1), 9, rtol=1e-6)
    assert (ours(values, **sharp).sum(1) > 9.01).all()


def test_masked_equals_dropped():
    values, keep = similarity(), np.array([0, 1, 3, 5])
    values[[2, 4]] = values[:, [2, 4]] = np.nan
    where = np.isin(np.arange(6), keep)[:, None] & np.isin(np.arange(9), [*keep, 6, 7, 8])
    columns = [*keep, 6, 7, 8]
    dropped = ours(values[keep][:, columns])
    np.testing.assert_allclose(ours(values, where=where)[keep][:, columns], dropped, rtol=1e-6)
    whole = ours(np.nan_to_num(values))[keep][:, columns]
    assert np.abs(whole - dropped).max() > 1e-3, "m and p differ when nothing is left out"


def test_the_positives_similarity_and_a_shift_of_a_row_do_not_matter():
    values = similarity()
    np.testing.assert_allclose(ours(values + 3 * np.eye(6, 9, dtype=np.float32)), ours(values))
    np.testing.assert_allclose(ours(values + 8), ours(values), atol=1e-5)
    assert np.abs(ours(2 * values) - ours(values)).max() > 1e-2


@pytest.mark.parametrize("size", [1e4, 1e30, 3e38])
def test_extreme_similarity(size):
    values = np.clip(similarity(), -1, 1) * np.float32(size)
    w = ours(values, temperature=0.05)
    np.testing.assert_allclose(w, loop(values.astype(np.float64), temperature=0.05), atol=1e-5)


def test_rows_of_a_device_with_global_columns():
    values = similarity()
    whole = ours(values)
    part = ours(values[2:4], positive=np.array([2, 3]))
    np.testing.assert_allclose(part, whole[2:4], rtol=1e-6)
    assert np.abs(ours(values[2:4]) - whole[2:4]).max() > 1e-2


def test_no_gradient_flows_through():
    def loss(values, stopped):
        w = ours(values)
        return jnp.sum((w if stopped else w + values) ** 2)

    slope = jax.jit(jax.grad(loss), static_argnames="stopped")
    assert not slope(similarity(), stopped=True).any()
    assert slope(similarity(), stopped=False).any()
    slope = jax.jit(jax.grad(lambda a: jnp.sum(ours(similarity(), alpha=a))))(1.3)
    assert slope == 0


def test_the_same_without_jit_and_under_vmap():
    stack = np.stack([similarity(seed=k) for k in range(3)])
    expected = [loop(values) for values in stack]
    np.testing.assert_allclose(jax.jit(jax.vmap(ours))(stack), expected, atol=2e-6)
    np.testing.assert_allclose(ours(stack[0], negative_weights), expected[0], atol=2e-6)
    options = {"where": PAIRS, "renormalize": True}
    eager = ours(stack[0], negative_weights, **options)
    np.testing.assert_allclose(eager, loop(stack[0], **options), atol=2e-6)
    eager = negative_distribution(jnp.asarray(stack[0]), temperature=0.5, where=jnp.asarray(PAIRS))
    looped = reference.negative_distribution(stack[0], temperature=0.5, where=PAIRS)
    np.testing.assert_allclose(eager, looped, atol=1e-6)


def test_a_single_negative_weighs_one():
    values = similarity(2, 2)
    for alpha, beta in [(1.5, 0.5), (1.0, 1.0), (0.5, 1.5)]:
        np.testing.assert_array_equal(ours(values, alpha=alpha, beta=beta), np.ones((2, 2)))


def test_too_few_negatives_at_run_time_show():
    """β − α/m is 0.2 for m = 5, 0 for m = 3, −0.25 for m = 2; m = 1 and m = 0 need no weights."""
    where = np.arange(6) < np.array([6, 4, 3, 2, 1])[:, None]
    where |= np.eye(5, 6, dtype=bool)
    first = np.zeros(5, int)
    w = ours(similarity(5, 6), alpha=1.5, beta=0.5, where=where, positive=first)
    count = (where[:, 1:]).sum(1)
    expected = {3: np.nan, 2: np.nan}
    for row, m in zip(np.asarray(w), count, strict=True):
        assert np.isnan(row).any() == (m in expected)
    c, given = np.ones((6, 2), "f"), {"where": jnp.asarray(where), "positive": jnp.asarray(first)}
    loss = functools.partial(soft_infonce, reduce_fn=None)
    rows = jax.jit(loss)(c[:5], c, w, **given)
    np.testing.assert_array_equal(np.isnan(rows), [m in expected for m in count])


def test_traced_alpha_and_beta_that_have_no_meaning_show():
    values = similarity(4, 4)
    assert np.isnan(ours(values, alpha=1.5, beta=0.5)).sum() == 12
    assert not np.isnan(ours(values, alpha=1.3, beta=0.7)).any()


def test_a_nan_shows():
    values = similarity()
    values[1, 4] = np.nan
    w = ours(values)
    assert np.isnan(np.delete(w[1], 1)).all() and not np.isnan(np.delete(w, 1, axis=0)).any()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_distribution_is_that_of_the_loop(options):
    options = {k: v for k, v in options.items() if k in ("positive", "where")}
    traced = {k: jnp.asarray(v) for k, v in options.items()}
    p = distribution(jnp.asarray(similarity()), temperature=0.5, **traced)
    assert p.dtype == jnp.float32
    expected = reference.negative_distribution(similarity(), temperature=0.5, **options)
    np.testing.assert_allclose(p, expected, atol=1e-6)
    other = reference.negative_distribution(similarity(), temperature=0.6, **options)
    assert np.abs(p - other).max() > 1e-2


def test_the_weights_are_made_of_the_distribution():
    p = np.asarray(distribution(similarity(), temperature=0.5))
    off = ~np.eye(6, 9, dtype=bool)
    expected = np.maximum((0.7 - 1.3 * p) / (0.7 - 1.3 / 8), 0)
    np.testing.assert_allclose(ours(similarity(), floor=0.0)[off], expected[off], rtol=1e-5)


def test_the_distribution_at_its_edges():
    values = np.array([[0.0, 1e30, -1e30, 0.0], [0.0, 0.0, 3.0, np.nan]], np.float32)
    where = jnp.array([[True, True, True, True], [False, True, True, False]])
    p = distribution(values, temperature=0.1, where=where)
    np.testing.assert_array_equal(p, [[0, 1, 0, 0], [0, 0, 1, 0]])
    slope = jax.jit(jax.grad(lambda x: negative_distribution(x, temperature=1.0).sum()))
    assert not slope(jnp.ones((3, 3))).any()
    with pytest.raises(ValueError, match="temperature is 0"):
        negative_distribution(jnp.ones((3, 3)), temperature=0.0)


def test_goldens():
    golden, compared = np.load(shared_path("goldens/weights_n8.npz")), 0
    off = ~np.eye(8, dtype=bool)
    for k, name in enumerate(golden["case_sim"]):
        settings = {s: float(golden[f"case_{s}"][k]) for s in ("alpha", "beta")}
        if settings["beta"] - settings["alpha"] / 7 <= 0:
            continue
        similarity = jnp.asarray(golden[f"sim_{name}"])
        w = compiled(similarity, temperature=float(golden["case_t"][k]), **settings)
        expected = golden["w_f64"][k].reshape(-1)
        np.testing.assert_allclose(np.asarray(w)[off], expected, rtol=2e-5, atol=2e-6)
        compared += 1
    assert compared > 100


BAD = {
    "undefined": ((4, 4), {"alpha": 1.5, "beta": 0.5}, ValueError, "0.5 .* 1.5 / 3"),
    "reversed": ((8, 8), {"alpha": 1.0, "beta": 0.0}, ValueError, "0.0 .* 1.0 / 7"),
    "temperature": ((4, 4), {"temperature": 0.0}, ValueError, "temperature is 0.0"),
    "floor": ((4, 4), {"floor": -0.1}, ValueError, "floor is -0.1"),
    "vector": ((4,), {}, ValueError, r"\(4,\)"),
    "one candidate": ((1, 1), {}, ValueError, "1 candidate"),
    "fewer candidates": ((4, 3), {}, ValueError, "4 rows but 3"),
    "where": ((4, 4), {"where": jnp.ones(3, bool)}, ValueError, r"\(3,\).*\(4,\)"),
    "positive": ((4, 4), {"positive": jnp.zeros(3, int)}, ValueError, r"\(3,\).*\(4,\)"),
    "positive type": ((4, 4), {"positive": jnp.zeros(4)}, TypeError, "float32"),
}


@pytest.mark.parametrize(("shape", "options", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_raises(shape, options, error, message):
    with pytest.raises(error, match=message):
        inspect.unwrap(negative_weights)(jnp.ones(shape), **{**SETTINGS, **options})


MADE_WITH = {"temperature": 0.3, "floor": 0.1}
# Compiled once for each shape; what arrays cannot say is checked on the function itself.
diagnostics = jax.jit(weight_diagnostics)


def values_and_weights(rows=6, columns=9, **settings):
    values = similarity(rows, columns)
    w = compiled(values, alpha=1.5, beta=0.5, **(MADE_WITH | settings))
    return values, np.array(w)


@pytest.mark.parametrize("settings", [{}, {"temperature": 2.0}, {"floor": 0.0}, {"floor": 0.6}])
@pytest.mark.parametrize("columns", [6, 9])
def test_diagnostics_are_those_of_the_loop(settings, columns):
    values, w = values_and_weights(columns=columns, **settings)
    settings = MADE_WITH | settings
    if settings["floor"] == 0:
        w[0, 1] = 0
    ours = diagnostics(values, w, **settings)
    expected = reference.weight_diagnostics(values, w, **settings)
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        assert float(ours[name]) == pytest.approx(value, rel=1e-5), name
    # The control: other weights of the same similarity give other numbers.
    other = diagnostics(values, np.ones_like(w), **settings)
    for name in ("weight_entropy", "weight_effective", "weight_spread"):
        assert abs(float(other[name]) - expected[name]) > 1e-3, name


def test_diagnostics_find_the_positives_where_they_are_said_to_be():
    """Columns in another order, named, are the same batch; unnamed they are another."""
    values, w = values_and_weights()
    expected = diagnostics(values, w, **MADE_WITH)
    order = np.array([8, 3, 1, 0, 7, 2, 6, 5, 4])
    permuted = values[:, order], w[:, order]
    ours = diagnostics(*permuted, positive=np.argsort(order)[:6], **MADE_WITH)
    for name, value in expected.items():
        assert float(ours[name]) == pytest.approx(float(value), rel=1e-5), name
    other = diagnostics(*permuted, **MADE_WITH)
    assert abs(other["weight_effective"] - expected["weight_effective"]) > 1e-3


def test_the_floor_is_counted():
    """p of row 0 is (0.9, 0.1): at alpha = beta = 1 its weights are (0.2, 1.8)."""
    values = np.log(np.float32([[1.0, 9.0, 1.0], [1.0, 1.0, 1.0]]))
    ones = {"alpha": 1.0, "beta": 1.0, "temperature": 1.0}
    for floor, share in ((0.1, 0.0), (0.3, 0.25)):
        w = compiled(values, **ones, floor=floor)
        ours = diagnostics(values, w, temperature=1.0, floor=floor)
        assert float(ours["weight_floor"]) == share


def test_diagnostics_of_flat_and_of_one_hot_weights():
    flat = diagnostics(np.zeros((4, 4), "f"), np.ones((4, 4), "f"), temperature=1.0)
    assert float(flat["weight_entropy"]) == pytest.approx(math.log(3))
    assert float(flat["weight_effective"]) == pytest.approx(3)
    assert float(flat["p_max"]) == pytest.approx(1 / 3)
    assert float(flat["p_mean"]) == pytest.approx(1 / 3)
    assert float(flat["weight_spread"]) == 0
    steep = np.float32(300 * np.eye(4)[::-1])
    w = ours(steep, alpha=1.5, beta=0.6, temperature=1.0)
    made = diagnostics(steep, w, temperature=1.0)
    assert float(made["p_max"]) == pytest.approx(1) and all(map(np.isfinite, made.values()))


def test_diagnostics_eagerly_under_jit_and_over_devices():
    values, w = (np.concatenate([x, x[:2]]) for x in values_and_weights())
    expected = weight_diagnostics(jnp.asarray(values), jnp.asarray(w), **MADE_WITH)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    placed = jax.device_put((values, w), rows)
    ours = diagnostics(*placed, **MADE_WITH)
    for name, value in expected.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-6)


def test_bad_input_of_diagnostics_raises():
    values, w = values_and_weights()
    with pytest.raises(ValueError, match=r"\(6, 9\) and w \(6, 8\)"):
        inspect.unwrap(weight_diagnostics)(values, w[:, :8], **MADE_WITH)
    with pytest.raises(ValueError, match="temperature is 0"):
        weight_diagnostics(jnp.asarray(values), jnp.asarray(w), temperature=0)
