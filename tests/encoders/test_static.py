"""Static vectors: weighted means by a slow loop, in numpy and in jax, with gradients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers

from softnce_jax.encoders import static
from softnce_jax.encoders.embed import Embedder, model_hash
from softnce_jax.encoders.prompts import LONGEST_TEXT, Prompts
from softnce_jax.encoders.static import BagTokenizer, StaticTextEncoder, Table, mean_vectors
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.errors import InputError
from softnce_jax.mesh import by_rows, make_mesh, put_global, replicated
from softnce_jax.packing import bags
from softnce_jax.pretrained.static import write_static

WORDS = ["?", "sort", "list", "open", "file", "größe"]
RAGGED = [[1, 2], [], [3, 3, 4, 1, 3], [5]]


def words(**options) -> BagTokenizer:
    """A tokenizer of the words above, in lower case."""
    backend = Backend(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="?"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return BagTokenizer(backend, **options)


def table(dtype=np.float32, seed=0) -> Table:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(len(WORDS), 8)) * (30 if dtype == np.int8 else 1)
    return Table(rows.astype(dtype), rng.uniform(0.5, 2, len(WORDS)).astype(np.float32))


def by_loop(table, ragged, normalize):
    """The definition, in float64."""
    vectors = []
    for ids in ragged:
        vector = np.zeros(8)
        for token in ids:
            vector += float(table.weights[token]) * table.embeddings[token].astype(np.float64)
        vector /= max(len(ids), 1)
        length = np.sqrt((vector**2).sum())
        vectors.append(vector / length if normalize and length else vector)
    return np.array(vectors)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8])
def test_vectors_are_weighted_means(dtype, normalize):
    found = mean_vectors(table(dtype), RAGGED, normalize=normalize)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, by_loop(table(dtype), RAGGED, normalize), rtol=1e-5, atol=1e-6
    )
    unweighted = table(dtype)._replace(weights=np.ones(len(WORDS), np.float32))
    assert np.abs(mean_vectors(unweighted, RAGGED, normalize=normalize) - found).max() > 1e-2


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("groups", [1, 2])
def test_jax_has_the_same_vectors(groups, normalize):
    encoder = StaticEncoder(words(), 8, normalize)
    laid = bags([RAGGED[:2], RAGGED[2:]] if groups == 2 else [RAGGED], tokens=11)
    found = jax.jit(encoder.embed)(table()._asdict(), laid)
    assert found.shape == (groups, 4 // groups, 8)
    expected = mean_vectors(table(), RAGGED, normalize=normalize)
    np.testing.assert_allclose(found.reshape(4, 8), expected, atol=1e-6)
    np.testing.assert_array_equal(encoder.embed_on_host(table()._asdict(), RAGGED), expected)
    np.testing.assert_array_equal(
        Embedder(encoder, make_mesh(jax.devices()))(table()._asdict(), RAGGED), expected
    )


def test_gradients_are_those_of_the_loop():
    """Of a product with fixed vectors, without unit length: linear in the table."""
    encoder = StaticEncoder(words(), 8, normalize=False)
    direction = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    laid = bags([RAGGED], tokens=16)

    def total(params):
        return (encoder.embed(params, laid)[0] * direction).sum()

    found = jax.jit(jax.grad(total))(table()._asdict())
    rows, weights = np.zeros((len(WORDS), 8)), np.zeros(len(WORDS))
    for text, ids in enumerate(RAGGED):
        for token in ids:
            rows[token] += table().weights[token] * direction[text] / len(ids)
            weights[token] += table().embeddings[token] @ direction[text] / len(ids)
    np.testing.assert_allclose(found["embeddings"], rows, atol=1e-6)
    np.testing.assert_allclose(found["weights"], weights, atol=1e-6)
    assert not found["embeddings"][0].any()  # padding is not the first token


def test_an_empty_bag_has_a_gradient_of_zero():
    encoder = StaticEncoder(words(), 8)
    laid = bags([[[], [1]]], tokens=4)
    found = jax.grad(lambda params: encoder.embed(params, laid)[0, 0].sum())(table()._asdict())
    assert not any(np.asarray(leaf).any() for leaf in found.values())


def test_devices_share_the_bags_without_changing_a_vector():
    mesh = make_mesh(jax.devices()[:2])
    encoder = StaticEncoder(words(), 8)
    laid = put_global(bags([RAGGED[:2], RAGGED[2:]], tokens=8), by_rows(mesh))
    params = put_global(table()._asdict(), replicated(mesh))
    found = np.asarray(jax.jit(encoder.embed)(params, laid)).reshape(4, 8)
    np.testing.assert_allclose(found, mean_vectors(table(), RAGGED, normalize=True), atol=1e-6)


def test_unknown_words_are_left_out():
    texts = ["sort  nothing list", "", "Größe", "unknown words"]
    assert words().tokenize(texts) == [[1, 2], [], [5], []]
    model = StaticTextEncoder(words(), table())
    np.testing.assert_array_equal(
        model.encode_query(["sort nothing list"]), model.encode_query(["sort list"])
    )
    assert not model.encode_query(["unknown words", ""]).any()


def test_lengths_are_cut_as_model2vec_cuts_them():
    """Characters first, by the median length of a token (here 4), then tokens, unknown ones too."""
    text = "sort list open file " * 3
    assert words(max_length=5).tokenize([text]) == [[1, 2, 3, 4]]  # 20 characters
    assert words(max_length=5).tokenize(["a b c sort list"]) == [[1, 2]]
    assert words(max_length=3).tokenize(["a b c sort list"]) == [[]]
    assert words().tokenize([text], 2) == [[1, 2]]
    assert len(words().tokenize(["sort " * LONGEST_TEXT])[0]) == LONGEST_TEXT // 5


def test_a_tokenizers_own_cut_and_padding_do_not_count():
    backend = words().backend
    backend.enable_truncation(2)
    backend.enable_padding(length=9)
    assert BagTokenizer(backend).tokenize(["sort list open"]) == [[1, 2, 3]]


def test_prompts_go_before_texts():
    prompts = Prompts({"query": "open ", "document": "file "})
    model = StaticTextEncoder(words(prompts=prompts), table())
    plain = StaticTextEncoder(words(), table())
    np.testing.assert_array_equal(model.encode_query(["list"]), plain.encode_query(["open list"]))
    np.testing.assert_array_equal(
        model.encode_document(["list"]), plain.encode_document(["file list"])
    )


def test_blocks_are_the_whole(monkeypatch, capsys):
    model, texts = StaticTextEncoder(words(), table()), ["sort", "list open", "", "file", "size"]
    whole = model.encode_document(texts, language="python")
    monkeypatch.setattr(static, "BLOCK_TEXTS", 2)
    np.testing.assert_array_equal(model.encode_document(texts, progress=True), whole)
    assert "documents" in capsys.readouterr().err
    assert model.encode_query([]).shape == (0, 8)


def test_similarity_is_that_of_the_folder():
    q, c = np.array([[3.0, 4.0]]), np.array([[6.0, 8.0], [0.0, 0.0]])
    dot = StaticTextEncoder(words(), table(), similarity="dot")
    assert dot.similarity(q, c).tolist() == [[50.0, 0.0]]
    cosine = StaticTextEncoder(words(), table())
    np.testing.assert_allclose(cosine.similarity(q, c), [[1.0, 0.0]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StaticTextEncoder(words(), table()).encode_query("sort"), "is one string"),
        (lambda: BagTokenizer(Backend(models.BPE())), "the tokenizer has no tokens"),
        (lambda: StaticEncoder(words(), code_length=64), "code_length 64: a static encoder reads"),
        (lambda: StaticEncoder(words(), dataflow="published"), "dataflow published: a static"),
    ],
)
def test_bad_input_is_one_line(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_models_hash_tells_tables_and_settings_apart():
    encoder, params = StaticEncoder(words(), 8), table()._asdict()
    hashes = {
        model_hash(encoder, params),
        model_hash(encoder, table(seed=1)._asdict()),
        model_hash(encoder.unnormalized(), params),
    }
    assert len(hashes) == 3
    assert model_hash(StaticEncoder(words(), 8), table()._asdict()) in hashes


def test_an_answer_needs_neither_jax_nor_transformers(tmp_path):
    """From the public name to the vector of a text, in a fresh process."""
    write_static(tmp_path / "run" / "model", StaticTextEncoder(words(), table()))
    program = "from softnce_jax import load_static; import sys\n"
    program += "load_static(sys.argv[1]).encode_query(['sort']); print(*sys.modules)"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, tmp_path / "run"]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in found.stdout.split()}
    assert {"numpy", "tokenizers", "safetensors"} <= names
    assert not names & {"jax", "flax", "transformers", "huggingface_hub", "torch", "scipy", "tqdm"}
