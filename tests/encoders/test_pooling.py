from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from softnce_jax.encoders.pooling import first_token, mean_pool
from tests.shared import shared_path


def by_loop(states, mask):
    """The mean over tokens, one number at a time, in float64."""
    rows = []
    for row, seen in zip(np.asarray(states, np.float64), np.asarray(mask), strict=True):
        tokens = [state for state, token in zip(row, seen, strict=True) if token]
        rows.append(sum(tokens) / len(tokens) if tokens else np.zeros(row.shape[1]))
    return np.stack(rows)


def random_case():
    random = np.random.default_rng(0)
    states = jnp.asarray(random.normal(size=(4, 7, 5)), jnp.float32)
    return states, jnp.asarray(np.arange(7) < np.array([7, 3, 1, 0])[:, None])


def test_mean_pool_is_the_mean_over_tokens():
    states, mask = random_case()
    np.testing.assert_allclose(mean_pool(states, mask), by_loop(states, mask), atol=1e-6)
    unmasked = mean_pool(states, jnp.ones_like(mask))
    assert np.abs(unmasked[1] - by_loop(states, mask)[1]).max() > 1e-2


def test_mean_pool_equals_the_published_code():
    golden = np.load(shared_path("goldens/pooling.npz"))
    mask = jnp.asarray(golden["ids_pad1"] != 1)
    tokens = np.asarray(mask).any(axis=1)
    vectors = np.asarray(mean_pool(jnp.asarray(golden["hidden"]), mask))
    for name in ("mean_pooling_f64", "unixcoder_code_f64", "unixcoder_nl_f64"):
        np.testing.assert_allclose(vectors[tokens], golden[name][tokens], atol=1e-6)
    # The published division by the number of tokens is 0/0 here.
    assert not tokens.all() and np.isnan(golden["unixcoder_code_f64"][~tokens]).all()
    assert not vectors[~tokens].any()


def test_a_row_of_padding_is_zero_and_so_is_its_gradient():
    states, mask = random_case()
    assert not np.any(mean_pool(states, mask)[3])
    gradient = jax.grad(lambda states: jnp.sum(mean_pool(states, mask)))(states)
    expected = np.where(mask, 1 / np.maximum(mask.sum(1, keepdims=True), 1), 0.0)
    np.testing.assert_allclose(gradient, np.broadcast_to(expected[:, :, None], (4, 7, 5)))


def test_what_stands_in_padding_does_not_matter():
    states, mask = random_case()
    dirty = jnp.where(mask[:, :, None], states, jnp.nan)
    np.testing.assert_array_equal(mean_pool(dirty, mask), mean_pool(states, mask))


def test_bfloat16_states_are_summed_in_float32():
    states = jnp.ones((1, 1000, 2), jnp.bfloat16)
    vectors = mean_pool(states, jnp.ones((1, 1000), bool))
    assert vectors.dtype == jnp.float32
    np.testing.assert_array_equal(vectors, 1.0)
    assert first_token(states).dtype == jnp.float32


def test_first_token_is_the_first_token():
    states, _ = random_case()
    np.testing.assert_array_equal(first_token(states), states[:, 0])
