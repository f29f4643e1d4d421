"""The encoder that is trained from scratch starts as a matcher of words."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from softnce_jax.pretrained import tiny as tiny_module
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.tiny import TinyConfig, tiny

TEXTS = ["sort a list", "def sort(x): return sorted(x)", "", "the sum of a list"]
SIZES = TinyConfig(vocab_size=300, hidden_size=256)


@pytest.fixture(scope="module")
def built():
    return tiny(TEXTS, key=jax.random.key(0), sizes=SIZES)


def contents(built, rows, length=40):
    """Mean states of rows, before they are scaled to unit length, times their tokens."""
    encoder, params = built
    ids = encoder.tokenizer.pad(encoder.tokenizer.tokenize(rows, length), length)
    mask = ids != encoder.tokenizer.pad_id
    states = encoder.states(params, ids, mask, encoder.positions(mask))
    return np.asarray(states.sum(1, where=mask[:, :, None]))


def test_same_texts_and_key_give_the_same_encoder(built):
    encoder, params = built
    again, same = tiny(iter(TEXTS), key=jax.random.key(0), sizes=SIZES)
    jax.tree.map(np.testing.assert_array_equal, same, params)
    assert again.tokenizer.tokenize(TEXTS, 24) == encoder.tokenizer.tokenize(TEXTS, 24)
    _, other = tiny(TEXTS, key=jax.random.key(1), sizes=SIZES)
    words = [p["embeddings"]["word_embeddings"]["embedding"] for p in (params, other)]
    assert np.abs(words[0] - words[1]).max() > 1e-3
    assert encoder.max_length == SIZES.max_length
    shapes = jax.eval_shape(encoder.init, jax.random.key(0))
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, shapes)


@pytest.mark.parametrize("heads", [1, 2])
def test_repetitions_saturate(heads):
    sizes = TinyConfig(vocab_size=300, hidden_size=256, heads=heads)
    built = tiny(TEXTS, key=jax.random.key(0), sizes=sizes)
    counts = np.array([1, 2, 5, 20])
    rows = contents(built, ["+" * n + "-" for n in counts])
    plus, minus = contents(built, ["+", "-"])
    weight, _ = np.linalg.lstsq(np.stack([plus, minus], 1), rows.T, rcond=None)[0]
    k = tiny_module.SATURATION
    np.testing.assert_allclose(weight, counts / (counts + k) * (1 + k), rtol=0.02)
    assert np.abs(weight - counts).max() > 1


def test_all_tokens_weigh_the_same():
    texts = ["+ a", "+ b", "+ c", "+ -"]
    built = tiny(texts, key=jax.random.key(0), sizes=SIZES)
    common, rare = np.linalg.norm(contents(built, ["+", "-"]), axis=1)
    assert common / rare == pytest.approx(1, rel=0.02)


def test_order_and_special_tokens_do_not_count(built):
    encoder, params = built
    ids = encoder.tokenizer.pad(encoder.tokenizer.tokenize(["+-*", "*+-", "+-/"], 8), 8)
    one, turned, other = np.asarray(encoder.embed(params, ids))
    np.testing.assert_allclose(one, turned, atol=1e-5)
    assert np.abs(one - other).max() > 0.01
    assert not contents(built, [""]).any()


def test_export_round_trip(built, tmp_path):
    encoder, params = built
    export_model(tmp_path / "model", encoder, params)
    loaded, again = load(tmp_path / "model")
    jax.tree.map(np.testing.assert_array_equal, again, params)
    assert loaded.normalize and loaded.config.layer_norm_eps == 1.0


def test_bfloat16_computes_in_bfloat16_only(built):
    encoder, params = tiny(TEXTS, key=jax.random.key(0), sizes=SIZES, dtype="bfloat16")
    jax.tree.map(np.testing.assert_array_equal, params, built[1])
    assert encoder.module.dtype == "bfloat16"
