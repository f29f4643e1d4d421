"""The optimiser as published: schedule, clipping, AdamW, and what decay spares."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax.pretrained.tiny import TinyConfig, tiny
from softnce_jax.train.state import create, learning_rate, optimizer, weight_decay_mask


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
