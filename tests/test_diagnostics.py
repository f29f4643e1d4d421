"""Six numbers about the weights, against a loop over the negatives."""

from __future__ import annotations

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax import negative_weights
from softnce_jax.weights import weight_diagnostics
from tests import reference

RANDOM = np.random.default_rng(0)
SETTINGS = {"temperature": 0.3, "floor": 0.1}


def batch(rows=6, columns=9, **settings):
    similarity = jnp.asarray(RANDOM.normal(size=(rows, columns)), jnp.float32)
    return similarity, negative_weights(similarity, alpha=1.5, beta=0.5, **(SETTINGS | settings))


@pytest.mark.parametrize("settings", [{}, {"temperature": 2.0}, {"floor": 0.0}, {"floor": 0.6}])
@pytest.mark.parametrize("columns", [6, 9])
def test_the_loop_agrees(settings, columns):
    similarity, w = batch(columns=columns, **settings)
    settings = SETTINGS | settings
    if settings["floor"] == 0:
        w = w.at[0, 1].set(0)
    found = weight_diagnostics(similarity, w, **settings)
    expected = reference.weight_diagnostics(similarity, w, **settings)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-5), name
    # The control: other weights of the same similarity give other numbers.
    other = weight_diagnostics(similarity, jnp.ones_like(w), **settings)
    for name in ("weight_entropy", "weight_effective", "weight_spread"):
        assert abs(float(other[name]) - expected[name]) > 1e-3, name


def test_own_candidates_stand_where_it_is_said():
    """Columns in another order, named, are the same batch; unnamed they are another."""
    similarity, w = batch()
    expected = weight_diagnostics(similarity, w, **SETTINGS)
    order = np.array([8, 3, 1, 0, 7, 2, 6, 5, 4])
    turned = similarity[:, order], w[:, order]
    found = weight_diagnostics(*turned, positive=jnp.argsort(order)[:6], **SETTINGS)
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(float(value), rel=1e-5), name
    other = weight_diagnostics(*turned, **SETTINGS)
    assert abs(other["weight_effective"] - expected["weight_effective"]) > 1e-3


def test_the_floor_is_counted():
    """p of row 0 is (0.9, 0.1): at alpha = beta = 1 its weights are (0.2, 1.8)."""
    similarity = jnp.log(jnp.array([[1.0, 9.0, 1.0], [1.0, 1.0, 1.0]]))
    for floor, share in ((0.1, 0.0), (0.3, 0.25)):
        w = negative_weights(similarity, alpha=1.0, beta=1.0, temperature=1.0, floor=floor)
        found = weight_diagnostics(similarity, w, temperature=1.0, floor=floor)
        assert float(found["weight_floor"]) == share


def test_flat_and_one_hot():
    similarity = jnp.zeros((4, 4))
    flat = weight_diagnostics(similarity, jnp.ones((4, 4)), temperature=1.0)
    assert float(flat["weight_entropy"]) == pytest.approx(math.log(3))
    assert float(flat["weight_effective"]) == pytest.approx(3)
    assert float(flat["p_max"]) == pytest.approx(1 / 3)
    assert float(flat["p_mean"]) == pytest.approx(1 / 3)
    assert float(flat["weight_spread"]) == 0
    steep = jnp.asarray(300 * np.eye(4)[::-1], jnp.float32)
    w = negative_weights(steep, alpha=1.5, beta=0.6, temperature=1.0)
    found = weight_diagnostics(steep, w, temperature=1.0)
    assert float(found["p_max"]) == pytest.approx(1) and all(map(jnp.isfinite, found.values()))


def test_under_jit_and_over_devices():
    similarity, w = batch(rows=8, columns=8)
    expected = weight_diagnostics(similarity, w, **SETTINGS)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    placed = jax.device_put((similarity, w), rows)
    found = jax.jit(lambda s, w: weight_diagnostics(s, w, **SETTINGS))(*placed)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6)


def test_bad_input_raises():
    similarity, w = batch()
    with pytest.raises(ValueError, match=r"\(6, 9\) and w \(6, 8\)"):
        inspect.unwrap(weight_diagnostics)(similarity, w[:, :8], **SETTINGS)
    with pytest.raises(ValueError, match="temperature is 0"):
        weight_diagnostics(similarity, w, temperature=0)
