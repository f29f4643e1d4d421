"""Static models elsewhere: model2vec, sentence-transformers and semble have our vectors."""

from __future__ import annotations

import numpy as np
import pytest

from softnce_jax import load_static
from softnce_jax.encoders.static import StaticTextEncoder
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.static import write_static
from softnce_jax.pretrained.static_starts import distill
from tests.pretrained.test_static import CODES, TEXTS, a_model

pytestmark = [pytest.mark.interop, pytest.mark.slow]


def library(name):
    return pytest.importorskip(name, reason=f"{name} is not installed (its vectors)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("static") / "model"
    write_static(folder, a_model())
    return folder


def order(q, c):
    return np.argsort(-(q @ c.T), axis=1, kind="stable").tolist()


def test_model2vec_has_the_same_vectors(folder):
    theirs, ours = library("model2vec").StaticModel.from_pretrained(folder), load_static(folder)
    q, c = ours.encode_query(TEXTS), ours.encode_document(CODES)
    assert np.abs(theirs.encode(TEXTS) - q).max() < 1e-6
    assert np.abs(theirs.encode(CODES) - c).max() < 1e-6
    assert order(theirs.encode(TEXTS), theirs.encode(CODES)) == order(q, c)
    # The control: other weights are other vectors.
    assert np.abs(theirs.encode(TEXTS) - a_model(weighted=False).encode_query(TEXTS)).max() > 1e-3


def test_sentence_transformers_has_the_same_vectors(folder):
    theirs = library("sentence_transformers").SentenceTransformer(str(folder), device="cpu")
    ours = load_static(folder)
    q, c = ours.encode_query(TEXTS), ours.encode_document(CODES)
    assert np.abs(theirs.encode_query(TEXTS) - q).max() < 1e-6
    assert np.abs(theirs.encode_document(CODES) - c).max() < 1e-6
    np.testing.assert_allclose(theirs.similarity(q, c).numpy(), ours.similarity(q, c), atol=1e-6)


def test_semble_searches_with_it(folder, tmp_path, monkeypatch):
    """Its vectors of chunks, and what it finds, by the model that its variable names."""
    library("semble")
    from semble.index.dense import embed_chunks, load_model
    from semble.types import Chunk

    monkeypatch.setenv("SEMBLE_MODEL_NAME", str(folder))
    model, name = load_model()
    assert name == str(folder)
    chunks = [Chunk(code, "a.py", 1, 2, language="python") for code in CODES + TEXTS[4:5]]
    ours = load_static(folder).encode_document([chunk.content for chunk in chunks])
    assert np.abs(embed_chunks(model, chunks) - ours).max() < 1e-6


@pytest.mark.parametrize("table_type", ["float16", "int8"])
def test_model2vec_reads_smaller_tables(table_type, tmp_path):
    write_static(tmp_path / "small", a_model(), table_type=table_type)
    theirs = library("model2vec").StaticModel.from_pretrained(tmp_path / "small")
    ours = load_static(tmp_path / "small").encode_query(TEXTS)
    atol = 1e-6 if table_type == "int8" else 1e-3  # it gives float16 vectors of a float16 table
    assert np.abs(theirs.encode(TEXTS) - ours).max() < atol


@pytest.mark.parametrize("table_type", ["float32", "float16", "int8"])
@pytest.mark.parametrize("weighted", [True, False])
def test_folders_of_model2vec_are_read_as_it_reads_them(weighted, table_type, tmp_path):
    """With a limit of tokens, which cuts characters too."""
    static_model = library("model2vec").StaticModel
    model = a_model(weighted=weighted)
    weights = model.table.weights if weighted else None
    theirs = static_model(
        model.table.embeddings,
        model.tokenizer.backend,
        normalize=True,
        weights=weights,
        max_length=5,
    )
    theirs.save_pretrained(tmp_path / "theirs")
    theirs = static_model.from_pretrained(tmp_path / "theirs", quantize_to=table_type)
    theirs.save_pretrained(tmp_path / "small")
    ours = load_static(tmp_path / "small")
    assert ours.normalize and ours.tokenizer.max_length == 5
    texts = TEXTS + CODES
    found = ours.encode_query(texts)
    assert np.abs(theirs.encode(texts) - found).max() < (1e-3 if table_type == "float16" else 1e-6)
    whole = StaticTextEncoder(model.tokenizer, ours.table).encode_query(texts)
    assert np.abs(whole - found).max() > 1e-2


def test_unknown_tokens_of_word_pieces(bert_folder, tmp_path):
    """model2vec leaves them out; sentence-transformers counts a row that an export makes zero."""
    static, params = distill(*load(bert_folder), dimensions=8)
    write_static(tmp_path / "model", static.bind(params))
    ours = load_static(tmp_path / "model")
    texts = ["sort 数数数 list", "数", "sort list", ""]
    found = ours.encode_query(texts)
    assert ours.tokenizer.unknown_id is not None and not found[1].any()
    np.testing.assert_array_equal(found[0], found[2])
    theirs = library("model2vec").StaticModel.from_pretrained(tmp_path / "model")
    assert np.abs(theirs.encode(texts) - found).max() < 1e-6
    theirs = library("sentence_transformers").SentenceTransformer(str(tmp_path / "model"))
    assert np.abs(theirs.encode(texts) - found).max() < 1e-6
