"""Dropout: the right share, at the sites of transformers, the same in whatever row a token is."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transformers import RobertaConfig

from softnce_jax.encoders.dropout import Dropout, _bits
from softnce_jax.encoders.roberta import RobertaModule
from tests.stock_models import random_params

KEY = jax.random.key(5)
KINDS = ["shared", "elementwise", "off"]


def of_rows(rows, length, *, first=0, key=KEY):
    """The dropout of rows of one text each."""
    text = first + jnp.arange(rows)[:, None]
    return Dropout.of(key, text, jnp.arange(length)[None])


@partial(jax.jit, static_argnums=0)
def dropped_ones(rate, *, site, first, key):
    """What dropout makes of states (8, 32, 96) that are 1."""
    return of_rows(8, 32, first=first, key=key).hidden(jnp.ones((8, 32, 96)), rate, site)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_share_and_the_mean(rate):
    dropped = np.asarray(dropped_ones(rate, site=0, first=0, key=KEY))
    error = 5 * np.sqrt(rate * (1 - rate) / dropped.size)
    assert abs((dropped == 0).mean() - rate) < error
    np.testing.assert_allclose(dropped[dropped > 0], 1 / (1 - rate), rtol=1e-4)
    assert abs(dropped.mean() - 1) < 2 * error
    # Every position, text and dimension is dropped sometimes.
    for axes in ((1, 2), (0, 2), (0, 1)):
        assert np.abs((dropped == 0).mean(axis=axes) - rate).max() < 0.2


def test_draws_are_uniform_and_a_prefix_of_longer_ones():
    draw = jax.jit(_bits, static_argnums=1)
    keys = jax.random.split(KEY, 64)
    drawn = np.asarray(draw(keys, 250))
    assert drawn.shape == (64, 250)
    np.testing.assert_array_equal(draw(keys, 31), drawn[:, :31])
    share = np.histogram(drawn, bins=16, range=(0, 2**16))[0] / drawn.size
    assert np.abs(share - 1 / 16).max() < 0.01
    assert abs(np.corrcoef(drawn[:, 0::2].ravel(), drawn[:, 1::2].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("generator", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_keys_of_any_generator(generator):
    """Half of an rbg key is the other half: its bits as they are would come twice."""
    kept, other = (
        np.asarray(dropped_ones(0.5, site=0, first=0, key=jax.random.key(seed, impl=generator))) > 0
        for seed in (5, 6)
    )
    for apart in range(1, 9):
        assert 0.45 < (kept[..., apart:] == kept[..., :-apart]).mean() < 0.55
    assert 0.45 < (kept == other).mean() < 0.55


def test_another_site_text_position_or_key_draws_anew():
    def draw(**changed):
        return np.asarray(dropped_ones(0.5, **{"site": 0, "first": 0, "key": KEY} | changed))

    one = draw()
    for other in (
        draw(site=1),
        draw(first=70),
        draw(key=jax.random.key(6)),
        np.roll(one, 1, axis=1),
        one[::-1],
    ):
        assert 0.4 < (other == one).mean() < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_attention(kind):
    def kept(length):
        weights = np.ones((4, 6, length, length), np.float32)
        drop = jax.jit(lambda weights: of_rows(4, length).attention(weights, 0.25, 3, kind))
        return np.asarray(drop(weights)) > 0

    found = kept(16)
    np.testing.assert_array_equal(kept(9), found[:, :, :9, :9])  # in shorter rows the same
    if kind == "off":
        assert found.all()
        return
    assert abs(found.mean() - 0.75) < (0.1 if kind == "shared" else 0.02)
    same = [(found == found[:1, :1]).mean(), (found == found.swapaxes(2, 3)).mean()]
    assert same[0] == 1 if kind == "shared" else same[0] < 0.8
    assert same[1] < 0.8


def test_no_rate_no_dropout():
    @jax.jit
    def undropped(x):
        dropout = of_rows(1, 2)
        weights = dropout.attention(x[:, None, :, :2], 0.0, 0, "elementwise")
        return dropout.hidden(x, 0.0, 0), weights

    for found in undropped(np.ones((1, 2, 8), np.float32)):
        assert (np.asarray(found) == 1).all()


# Three texts, in one row and as rows of their own, in arrays of one shape; ids, mask, position ids.
TEXT, POSITION = np.repeat(range(3), [5, 7, 4]), np.array([*range(5), *range(7), *range(4)])
ROWS = {"packed": (0 * TEXT, np.arange(16)), "padded": (TEXT, POSITION)}


def arrays(layout, renumbered=0):
    """What the network takes in a layout; the numbers of the texts and the positions in them."""
    ids, number = np.random.default_rng(0).integers(5, 50, 16), np.array([4, 0, 9]) + renumbered
    filled = [np.full((3, 16), empty) for empty in (1, -1, 0)]
    for array, values in zip(filled, (ids, number[TEXT], POSITION), strict=True):
        array[ROWS[layout]] = values
    ids, text, position = filled
    mask = (text[:, :, None] == text[:, None]) & (text >= 0)[:, None]
    return (ids, mask, position + 2), (text, position)


def config_of(hidden=0.3, attention=0.3):
    """A small network with these rates."""
    return RobertaConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=30,
        hidden_dropout_prob=hidden,
        attention_probs_dropout_prob=attention,
    )


@pytest.fixture(scope="module")
def variables():
    """Parameters; they do not depend on the rates."""
    given, _ = arrays("packed")
    shapes = jax.eval_shape(RobertaModule(config_of()).init, KEY, *given)
    return random_params(shapes, 0.2)


@partial(jax.jit, static_argnames=("kind", "hidden", "attention"))
def states(variables, given, of=None, *, kind="shared", hidden=0.3, attention=0.3):
    """The network's states; without dropout if `of` is None."""
    module = RobertaModule(config_of(hidden, attention), attention_dropout=kind)
    dropout = None if of is None else Dropout.of(KEY, *of)
    return module.apply(variables, *given, dropout=dropout)


@pytest.mark.parametrize("kind", KINDS)
def test_packed_is_padded_with_the_same_dropout(variables, kind):
    def at_tokens(layout, renumbered=0):
        given, of = arrays(layout, renumbered)
        return np.asarray(states(variables, given, of, kind=kind))[ROWS[layout]]

    packed = at_tokens("packed")
    np.testing.assert_allclose(packed, at_tokens("padded"), atol=2e-6)
    assert np.abs(at_tokens("packed", renumbered=1) - packed).max() > 0.1
    assert np.abs(states(variables, arrays("packed")[0])[0] - packed).max() > 0.1


def test_each_use_of_dropout_is_there(variables):
    """With all but one rate at 0, the states change by as much as that one use can."""
    given, of = arrays("packed")
    plain = np.asarray(states(variables, given))
    for rates in ({"hidden": 0.0}, {"attention": 0.0}):
        assert np.abs(plain - states(variables, given, of, **rates)).max() > 1e-3
    found = states(variables, given, of, hidden=0.0, attention=0.0)
    np.testing.assert_array_equal(plain, found)


@pytest.mark.slow
def test_the_mean_over_draws_is_that_of_transformers(variables):
    """Dropout at the same sites: the states have the mean and spread of the stock module's."""
    from transformers import FlaxRobertaModel

    ids, mask, position_ids = (array[:1, :8] for array in arrays("padded")[0])
    mask = mask[:, 0, :8]  # the first text, of 5 tokens, and some padding
    stock = FlaxRobertaModel(config_of(), _do_init=False)
    keys = jax.random.split(KEY, 3000)

    def theirs(key):
        given = {"params": variables["params"], "dropout_rng": key, "train": True}
        return stock(ids, mask, **given).last_hidden_state[0, :5]

    def ours(key, config):
        dropout = Dropout.of(key, jnp.zeros((1, 1), int), jnp.arange(8)[None])
        module = RobertaModule(config)
        return module.apply(variables, ids, mask, position_ids, dropout=dropout)[0, :5]

    def draw(states):
        return np.asarray(jax.lax.map(states, keys, batch_size=300))

    found, expected = draw(partial(ours, config=config_of())), draw(theirs)
    error = np.max(expected.std(axis=0)) / np.sqrt(len(keys))
    assert np.abs(found.mean(axis=0) - expected.mean(axis=0)).max() < 6 * error
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.1)
    # The control: with a third less dropout of states the spread is another.
    less = draw(partial(ours, config=config_of(hidden=0.2)))
    ratio = less.std(axis=0) / expected.std(axis=0)
    assert ratio.mean() < 0.9
