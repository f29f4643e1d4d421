"""The encoder to train from scratch starts as a matcher of words; its tokenizer splits names."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from softnce_jax.pretrained import tiny as tiny_module
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.tiny import SPECIAL_TOKENS, TinyConfig, tiny, train_tokenizer

TEXTS = ["sort a list", "def sort(x): return sorted(x)", "", "the sum of a list"]
SIZES = TinyConfig(vocab_size=300, hidden_size=256)


@pytest.fixture(scope="module")
def built():
    return tiny(TEXTS, key=jax.random.key(0), sizes=SIZES)


def contents(built, rows, length=40):
    """Mean states of rows, not scaled to unit length, times their tokens."""
    encoder, params = built
    ragged = encoder.tokenizer.tokenize(rows, length)
    unscaled = dataclasses.replace(encoder, normalize=False)
    means = jax.jit(unscaled.embed)(params, encoder.tokenizer.pad(ragged, length))
    return np.asarray(means) * np.array([[len(ids)] for ids in ragged])


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


@pytest.mark.slow
def test_64_bits_change_nothing(built):
    """JAX_ENABLE_X64 may be set for another program."""
    with jax.enable_x64(True):
        _, params = tiny(TEXTS, key=jax.random.key(0), sizes=SIZES)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {"float32"}
    jax.tree.map(np.testing.assert_array_equal, params, built[1])


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
    one, reordered, other = np.asarray(jax.jit(encoder.embed)(params, ids))
    np.testing.assert_allclose(one, reordered, atol=1e-5)
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


CODE = [
    "def getMaxValue(values):\n\treturn max(values)",
    "function parse_http_header2(text) { return text.split(':') }",
    "public static int maxValue(int[] values) { return 0; }",
    "parse the http header of a text",
]


@pytest.fixture(scope="module")
def fast():
    return train_tokenizer(CODE * 2, 500)


def test_special_tokens_have_the_ids_that_bm25_skips(fast):
    assert fast.convert_tokens_to_ids(list(SPECIAL_TOKENS.values())) == [0, 1, 2, 3, 4]
    assert fast("")["input_ids"] == [0, 2]


@pytest.mark.parametrize(
    "identifier", ["parseHTTPHeader", "parse_http_header", "ParseHttpHeader", "parse-HTTP header"]
)
def test_words_of_identifiers_are_the_words_of_a_question(fast, identifier):
    words = [piece for piece in fast.tokenize(identifier) if piece != "-"]
    assert words == fast.tokenize("parse http header") == ["parse", "http", "header"]


def test_digits_and_white_space_split_words(fast):
    assert fast.tokenize("header2\n\t  text") == ["header", "2", "text"]


def test_any_text_is_tokenized_without_unknowns(fast):
    ids = fast("é 日本 \x00 🙂 Ünïcode")["input_ids"]
    assert SPECIAL_TOKENS["unk_token"] not in fast.convert_ids_to_tokens(ids)
    assert "日本" in fast.decode(ids)


def test_the_same_texts_in_any_order_train_the_same_tokenizer(fast):
    again = train_tokenizer((CODE * 2)[::-1], 500)
    assert again.backend_tokenizer.to_str() == fast.backend_tokenizer.to_str()
    other = train_tokenizer(CODE[:1] * 2, 500)
    assert other.backend_tokenizer.to_str() != fast.backend_tokenizer.to_str()


@pytest.mark.parametrize("loader", [PreTrainedTokenizerFast, AutoTokenizer])
def test_a_trained_tokenizer_survives_saving(fast, loader, tmp_path):
    fast.save_pretrained(tmp_path)
    loaded = loader.from_pretrained(tmp_path)
    assert loaded(CODE)["input_ids"] == fast(CODE)["input_ids"]
    assert (loaded.pad_token_id, loaded.cls_token, loaded.mask_token) == (1, "<s>", "<mask>")
