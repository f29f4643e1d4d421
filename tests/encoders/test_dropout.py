"""Dropout: the right share, at the sites of transformers, the same in whatever row a token is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from transformers import RobertaConfig

from softnce_jax.encoders.dropout import Dropout, _bits
from softnce_jax.encoders.roberta import AnyMaskRobertaModule

KEY = jax.random.key(5)
KINDS = ["shared", "elementwise", "off"]


def of_rows(rows, length, *, first=0, key=KEY):
    """The dropout of rows of one text each."""
    text = jnp.arange(first, first + rows)[:, None]
    return Dropout.of(key, text, jnp.arange(length)[None])


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_share_and_the_mean(rate):
    dropped = np.asarray(of_rows(8, 32).hidden(jnp.ones((8, 32, 96)), rate, 0))
    error = 5 * np.sqrt(rate * (1 - rate) / dropped.size)
    assert abs((dropped == 0).mean() - rate) < error
    np.testing.assert_allclose(dropped[dropped > 0], 1 / (1 - rate), rtol=1e-4)
    assert abs(dropped.mean() - 1) < 2 * error
    # Every position, text and dimension is dropped sometimes.
    for axes in ((1, 2), (0, 2), (0, 1)):
        assert np.abs((dropped == 0).mean(axis=axes) - rate).max() < 0.2


def test_draws_are_uniform_and_a_prefix_of_longer_ones():
    drawn = np.asarray(_bits(jax.random.split(KEY, 64), 250))
    assert drawn.shape == (64, 250)
    np.testing.assert_array_equal(np.asarray(_bits(jax.random.split(KEY, 64), 31)), drawn[:, :31])
    share = np.histogram(drawn, bins=16, range=(0, 2**16))[0] / drawn.size
    assert np.abs(share - 1 / 16).max() < 0.01
    assert abs(np.corrcoef(drawn[:, 0::2].ravel(), drawn[:, 1::2].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("generator", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_keys_of_any_generator(generator):
    """Half of an rbg key is the other half: its bits as they are would come twice."""
    key = jax.random.key(5, impl=generator)
    kept = np.asarray(of_rows(64, 1, key=key).hidden(jnp.ones((64, 1, 256)), 0.5, 0)) > 0
    for apart in range(1, 9):
        assert 0.45 < (kept[..., apart:] == kept[..., :-apart]).mean() < 0.55
    other = of_rows(64, 1, key=jax.random.key(6, impl=generator))
    assert 0.45 < (kept == (other.hidden(jnp.ones((64, 1, 256)), 0.5, 0) > 0)).mean() < 0.55


def test_another_site_text_position_or_key_draws_anew():
    x = jnp.ones((2, 3, 256))
    one = np.asarray(of_rows(2, 3).hidden(x, 0.5, 0))
    for other in (
        of_rows(2, 3).hidden(x, 0.5, 1),
        of_rows(2, 3, first=7).hidden(x, 0.5, 0),
        of_rows(2, 3, key=jax.random.key(6)).hidden(x, 0.5, 0),
        np.roll(one, 1, axis=1),
        one[::-1],
    ):
        assert 0.4 < (np.asarray(other) == one).mean() < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_attention(kind):
    weights = jnp.ones((4, 6, 16, 16))
    found = np.asarray(of_rows(4, 16).attention(weights, 0.25, 3, kind)) > 0
    if kind == "off":
        assert found.all()
        return
    assert abs(found.mean() - 0.75) < (0.1 if kind == "shared" else 0.02)
    same = [(found == found[:1, :1]).mean(), (found == found.swapaxes(2, 3)).mean()]
    assert same[0] == 1 if kind == "shared" else same[0] < 0.8
    assert same[1] < 0.8


def test_no_rate_no_dropout():
    x = jnp.ones((1, 2, 8))
    assert (of_rows(1, 2).hidden(x, 0.0, 0) == 1).all()
    assert (of_rows(1, 2).attention(x[:, None, :, :2], 0.0, 0, "elementwise") == 1).all()


class Stand:
    """Three texts in one row, as rows of their own, and the network's states of either."""

    def __init__(self, **config):
        config = RobertaConfig(
            vocab_size=50,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=32,
            max_position_embeddings=30,
            **{"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3} | config,
        )
        lengths, self.numbers = [5, 7, 4], np.array([4, 0, 9])
        text = np.repeat(np.arange(3), lengths)
        position = np.concatenate([np.arange(n) for n in lengths])
        ids = np.random.default_rng(0).integers(5, 50, len(text))
        self.padded = (np.full((3, 16), 1), np.zeros((3, 16), bool), np.zeros((3, 16), int))
        for array, values in zip(self.padded, (ids, True, position + 2), strict=True):
            array[text, position] = values
        self.packed = (ids[None], (text[:, None] == text)[None], position[None] + 2)
        self.at, self.of = (text, position), (self.numbers[text][None], position[None])
        self.config = config
        init = AnyMaskRobertaModule(config).init
        self.variables = init(KEY, *map(jnp.asarray, self.packed))

    def states(self, layout, dropout, kind="shared"):
        module = AnyMaskRobertaModule(self.config, attention_dropout=kind)
        arrays = map(jnp.asarray, getattr(self, layout))
        return np.asarray(module.apply(self.variables, *arrays, dropout=dropout))


@pytest.mark.parametrize("kind", KINDS)
def test_packed_is_padded_with_the_same_dropout(kind):
    stand = Stand()
    rows = Dropout.of(KEY, jnp.asarray(stand.numbers)[:, None], jnp.arange(16)[None])
    padded = stand.states("padded", rows, kind)[stand.at]
    packed = stand.states("packed", Dropout.of(KEY, *map(jnp.asarray, stand.of)), kind)[0]
    np.testing.assert_allclose(packed, padded, atol=2e-6)
    text, position = map(jnp.asarray, stand.of)
    renumbered = stand.states("packed", Dropout.of(KEY, text + 1, position), kind)[0]
    assert np.abs(renumbered - padded).max() > 0.1
    assert np.abs(stand.states("padded", None)[stand.at] - padded).max() > 0.1


def test_each_use_of_dropout_is_there():
    """With all but one rate at 0, the states change by as much as that one use can."""
    hidden, attention = "hidden_dropout_prob", "attention_probs_dropout_prob"
    for config in ({hidden: 0.0}, {attention: 0.0}):
        stand = Stand(**config)
        text, position = map(jnp.asarray, stand.of)
        plain, found = (stand.states("packed", d) for d in (None, Dropout.of(KEY, text, position)))
        assert np.abs(plain - found).max() > 1e-3
    stand = Stand(**{hidden: 0.0, attention: 0.0})
    text, position = map(jnp.asarray, stand.of)
    plain, found = (stand.states("packed", d) for d in (None, Dropout.of(KEY, text, position)))
    np.testing.assert_array_equal(plain, found)


def test_the_mean_over_draws_is_that_of_transformers():
    """Dropout at the same sites: the states have the mean and spread of the stock module's."""
    from transformers import FlaxRobertaModel

    stand = Stand()
    ids, mask, _ = map(jnp.asarray, stand.padded)
    stock = FlaxRobertaModel(stand.config, _do_init=False)
    keys = jax.random.split(KEY, 3000)

    def theirs(key):
        given = {"params": stand.variables["params"], "dropout_rng": key, "train": True}
        return stock(ids, mask, **given).last_hidden_state[0, :5]

    def ours(key, config=stand.config):
        dropout = Dropout.of(key, jnp.arange(3)[:, None], jnp.arange(16)[None])
        arrays = map(jnp.asarray, stand.padded)
        module = AnyMaskRobertaModule(config)
        return module.apply(stand.variables, *arrays, dropout=dropout)[0, :5]

    def draw(states):
        return np.asarray(jax.lax.map(states, keys, batch_size=300))

    found, expected = draw(ours), draw(theirs)
    error = np.max(expected.std(axis=0)) / np.sqrt(len(keys))
    assert np.abs(found.mean(axis=0) - expected.mean(axis=0)).max() < 6 * error
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.1)
    # The control: with a third less dropout of states the spread is another.
    less = Stand(hidden_dropout_prob=0.2).config
    ratio = draw(lambda key: ours(key, less)).std(axis=0) / expected.std(axis=0)
    assert ratio.mean() < 0.9
