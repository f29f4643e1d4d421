"""Where static encoders start: words of texts as a lexical matcher, a transformer's tokens."""

from __future__ import annotations

import dataclasses
import math

import jax
import numpy as np
import pytest

from softnce_jax import load_static
from softnce_jax.commands.distill import Flags as DistillFlags
from softnce_jax.commands.distill import main as distill_command
from softnce_jax.commands.quantize import Flags as QuantizeFlags
from softnce_jax.commands.quantize import main as quantize_command
from softnce_jax.encoders.static import mean_vectors
from softnce_jax.errors import InputError
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.static_starts import distill, static_from_texts
from tests.small_model import write_model
from tests.train.corpus import write_tasks

pytestmark = pytest.mark.interop

TEXTS = ["def getMaxValue(xs): return max(xs)", "get the maximum", "def open(): pass", "open"] * 3


@pytest.fixture(scope="module")
def start():
    return static_from_texts(TEXTS, key=jax.random.key(0), dimensions=16)


def test_weights_are_the_rarer_the_larger(start):
    encoder, params = start
    tokenizer = encoder.tokenizer
    for word in ("max", "open", "def"):
        (ids,) = tokenizer.tokenize([word])
        (token,) = ids
        holding = sum(token in ids for ids in tokenizer.tokenize(TEXTS))
        expected = math.log((1 + len(TEXTS)) / (1 + holding))
        assert float(params["weights"][token]) == pytest.approx(expected) and 0 < holding < 12


def test_directions_have_unit_length_and_special_tokens_none(start):
    _, params = start
    lengths = np.linalg.norm(params["embeddings"], axis=1)
    assert not lengths[:5].any()
    np.testing.assert_allclose(lengths[5:], 1, atol=1e-6)


def test_frequent_tokens_are_nearer_to_orthogonal(start):
    encoder, params = start
    row_VD = np.asarray(params["embeddings"])
    used = np.unique(np.concatenate([np.asarray(x) for x in encoder.tokenizer.tokenize(TEXTS)]))
    unused = np.setdiff1d(np.arange(5, len(row_VD)), used)

    def overlap(tokens):
        product = row_VD[tokens] @ row_VD[tokens].T
        return np.abs(product[~np.eye(len(tokens), dtype=bool)]).mean()

    assert overlap(used) < 0.8 * overlap(unused)


def test_it_starts_as_a_lexical_matcher(start):
    encoder, params = start
    q, c = encoder.tokenizer.tokenize(["the maximum value"]), encoder.tokenizer.tokenize(TEXTS[:4])
    score = mean_vectors(params, q, normalize=True) @ mean_vectors(params, c, normalize=True).T
    assert score[0, 1] == score.max()  # which shares two rare words


def test_the_same_texts_and_key_give_the_same_start(start):
    again, other = (
        static_from_texts(iter(TEXTS), key=jax.random.key(seed), dimensions=16) for seed in (0, 1)
    )
    np.testing.assert_array_equal(again[1]["embeddings"], start[1]["embeddings"])
    assert again[0].tokenizer.fingerprint() == start[0].tokenizer.fingerprint()
    assert np.abs(other[1]["embeddings"] - start[1]["embeddings"]).max() > 0.1
    with pytest.raises(InputError, match="is one string, not a list"):
        static_from_texts("texts", key=jax.random.key(0))


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "model", TEXTS, pooling="mean")


def by_loop(encoder, params, dimensions, counts=None):
    """Token after token through the transformer, then principal components by SVD."""
    tokenizer, embed = encoder.tokenizer, jax.jit(encoder.embed)
    words = range(5, tokenizer.vocab_size)  # 0 to 4 are special
    rows = np.array([[*tokenizer.head, token, *tokenizer.tail] for token in words])
    vectors = np.concatenate([np.asarray(embed(params, row[None])) for row in rows])
    vectors = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    _, _, component = np.linalg.svd(vectors, full_matrices=False)
    scores = vectors @ component[:dimensions].T
    shares = np.array([1 / (n + 2) for n in range(len(words))] if counts is None else counts)
    return scores, 1e-4 / (1e-4 + shares / shares.sum())


@pytest.mark.parametrize("counted", [False, True])
def test_a_token_has_its_own_vector(counted, transformer):
    encoder, params = load(transformer)
    static, found = distill(encoder, params, dimensions=4, texts=TEXTS if counted else None)
    counts = None
    if counted:
        ids = [token for text in static.tokenizer.tokenize(TEXTS) for token in text]
        counts = [ids.count(token) for token in range(5, static.tokenizer.vocab_size)]
    scores, weights = by_loop(encoder, params, 4, counts)
    assert not np.asarray(found["embeddings"][:5]).any() and not found["weights"][:5].any()
    np.testing.assert_allclose(np.abs(found["embeddings"][5:]), np.abs(scores), atol=1e-4)
    np.testing.assert_allclose(found["weights"][5:], weights, rtol=1e-5)
    sizes = np.asarray(found["embeddings"]).var(axis=0)
    assert (np.diff(sizes) < 0).all()  # the largest component first


def test_the_transformer_keeps_its_tokenizer(transformer):
    encoder, params = load(transformer)
    before = encoder.tokenizer.tokenize(["get <pad> max"], 8)
    static, _ = distill(encoder, params, dimensions=4)
    assert encoder.tokenizer.tokenize(["get <pad> max"], 8) == before
    assert static.tokenizer.tokenize(["get max"])[0] == before[0][1:-1]


def test_what_cannot_be_distilled(transformer, start):
    encoder, params = load(transformer)
    with pytest.raises(InputError, match="--dimensions 17: the model's vectors have 16"):
        distill(encoder, params, dimensions=17)
    with pytest.raises(InputError, match="the model is static already"):
        distill(*start)


def test_the_commands(transformer, tmp_path, caplog):
    """A transformer distilled with the words of data, then made smaller."""
    tasks = write_tasks(tmp_path / "tasks")
    given = DistillFlags(str(transformer), str(tmp_path / "static"), dimensions=8)
    distill_command(dataclasses.replace(given, data=str(tasks), lang="python"))
    counted = load_static(tmp_path / "static")
    distill_command(given)
    by_zipf = load_static(tmp_path / "static")
    np.testing.assert_array_equal(counted.table.embeddings, by_zipf.table.embeddings)
    assert np.abs(counted.table.weights - by_zipf.table.weights).max() > 1e-3
    quantize_command(QuantizeFlags(str(tmp_path / "static"), str(tmp_path / "small"), "int8"))
    assert load_static(tmp_path / "small").table.embeddings.dtype == np.int8
    assert "numbers, float32: " in caplog.text and f"MB: {tmp_path / 'small'}" in caplog.text
