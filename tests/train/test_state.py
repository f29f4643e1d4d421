"""The optimiser as published: schedule, clipping, AdamW, and what decay spares."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from softnce_jax.pretrained.tiny import TinyConfig, tiny
from softnce_jax.train.state import (
    LARGEST_SCALE,
    LearnedScale,
    create,
    learning_rate,
    move_scale,
    optimizer,
    weight_decay_mask,
    with_scale,
)


def test_schedule_is_linear_up_and_down():
    rate = learning_rate(1.0, 10, 2)
    assert [float(rate(n)) for n in range(11)] == pytest.approx(
        [0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0]
    )
    assert float(learning_rate(1.0, 4)(1)) == 0.75
    with pytest.raises(ValueError, match="10 warm-up steps do not fit into 10"):
        learning_rate(1.0, 10, 10)


def test_decay_spares_biases_and_layernorm_of_the_real_encoder():
    sizes = TinyConfig(vocab_size=300, hidden_size=16)
    make = lambda key: tiny(["def f(a): return a"], key=key, sizes=sizes)[1]
    mask = weight_decay_mask(jax.eval_shape(make, jax.random.key(0)))
    names = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(mask)
    }
    for name, shrinks in names.items():
        assert shrinks == (name.endswith(("kernel", "embedding"))), name
    assert names["embeddings/LayerNorm/scale"] is False
    assert sum(names.values()) >= 10 and not all(names.values())


def adamw_by_hand(params, gradients, *, rate, clip, decay, steps):
    """AdamW in float64, decay on every entry."""
    m = v = np.zeros_like(params)
    for n in range(1, steps + 1):
        g = gradients * min(1.0, clip / np.linalg.norm(gradients))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = (m / (1 - 0.9**n)) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8)
        params = params - rate * (step + decay * params)
    return params


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_update_equals_adamw_by_hand(decay):
    kernel, gradient = np.array([0.5, -2.0, 3.0]), np.array([3.0, 4.0, 0.1])
    tx = optimizer(lambda _: 0.01, clip_norm=1.0, weight_decay=decay)
    state = create({"dense": {"kernel": jnp.asarray(kernel, jnp.float32)}}, tx)
    params, opt_state = state.params, state.opt_state
    for _ in range(3):
        gradients = {"dense": {"kernel": jnp.asarray(gradient, jnp.float32)}}
        updates, opt_state = tx.update(gradients, opt_state, params)
        params = jax.tree.map(jnp.add, params, updates)
    wanted = adamw_by_hand(kernel, gradient, rate=0.01, clip=1.0, decay=decay, steps=3)
    other = adamw_by_hand(kernel, gradient, rate=0.01, clip=1.0, decay=0.1 - decay, steps=3)
    np.testing.assert_allclose(params["dense"]["kernel"], wanted, rtol=1e-6)
    assert np.abs(wanted - other).max() > 1e-3


def moved(scale: float, gradients: list[float], *, rate: float) -> LearnedScale:
    """A learned scale after steps with these gradients."""
    tx = optax.adam(rate)
    learned = with_scale(create({}, optax.identity()), scale, tx).scale
    for gradient in gradients:
        learned = move_scale(learned, jnp.float32(gradient), tx)
    return learned


def test_a_learned_scale_follows_adam_in_its_logarithm_and_is_not_decayed():
    gradients = np.array([3.0, -1.0, 0.5])
    wanted = adamw_by_hand(np.log([20.0]), gradients[:1], rate=0.1, clip=9.0, decay=0.0, steps=1)
    found = moved(20.0, gradients[:1], rate=0.1).log
    np.testing.assert_allclose(found, wanted[0], rtol=1e-6)
    assert moved(20.0, [0.0] * 5, rate=0.1).log == jnp.log(jnp.float32(20.0))
    # The control: the same gradient in the scale itself would move it elsewhere.
    assert abs(float(jnp.exp(found)) - (20.0 - 0.1)) > 1


def test_a_learned_scale_stays_below_the_largest():
    for gradients in ([-1.0] * 3, [-1.0] * 30):
        assert jnp.exp(moved(99.0, gradients, rate=0.1).log) == pytest.approx(LARGEST_SCALE)
    assert jnp.exp(moved(99.0, [1.0], rate=0.1).log) < 99.0


def test_the_state_without_a_learned_scale_has_no_leaf_for_it():
    tx = optimizer(learning_rate(1.0, 4), clip_norm=1.0, weight_decay=0.1)
    plain = create({"dense": {"kernel": jnp.ones(2)}}, tx)
    learned = with_scale(plain, 20.0, optax.adam(1e-3))
    names = [
        {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)}
        for state in (plain, learned)
    ]
    assert names[0] < names[1] and ".scale.log" in names[1]
    assert all(name.startswith(".scale.") for name in names[1] - names[0])
    assert jax.tree.leaves(learned.params) == jax.tree.leaves(plain.params)
