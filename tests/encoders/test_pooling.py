"""Pooling against a slow loop, the published code's vectors and its own gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from softnce_jax.encoders.pooling import pool_slots
from tests.shared import shared_path


def mean_pool(states, mask):
    """The mean over the tokens of rows of one text."""
    return pool_slots(states, jnp.where(mask, 0, -1), mask, 1)[:, 0]


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


def test_the_states_of_padding_do_not_matter():
    states, mask = random_case()
    dirty = jnp.where(mask[:, :, None], states, 1e30)
    np.testing.assert_array_equal(mean_pool(dirty, mask), mean_pool(states, mask))


def test_bfloat16_states_are_summed_in_float32():
    states = jnp.ones((1, 1000, 2), jnp.bfloat16)
    vectors = mean_pool(states, jnp.ones((1, 1000), bool))
    assert vectors.dtype == jnp.float32
    np.testing.assert_array_equal(vectors, 1.0)


def test_the_state_of_the_first_token():
    states, mask = random_case()
    first = jnp.broadcast_to(jnp.arange(7) == 0, (4, 7))
    vectors = pool_slots(states.astype(jnp.bfloat16), jnp.zeros((4, 7), int), first, 1)[:, 0]
    assert vectors.dtype == jnp.float32
    np.testing.assert_array_equal(vectors, states.astype(jnp.bfloat16)[:, 0])
    np.testing.assert_array_equal(mean_pool(states, mask & first)[:3], states[:3, 0])


def test_every_text_of_a_row_is_pooled_alone():
    states, _ = random_case()
    slot = jnp.array([[0, 0, 1, 1, 1, 3, -1]] * 4)
    vectors = pool_slots(states, slot, slot >= 0, 5)
    for number in range(5):
        np.testing.assert_allclose(
            vectors[:, number], by_loop(states, slot == number), atol=1e-6, err_msg=str(number)
        )
