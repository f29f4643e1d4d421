"""Sentence and teacher features against one text at a time; the cache follows their inputs."""

from __future__ import annotations

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from softnce_jax.encoders import embed
from softnce_jax.encoders.embed import Embedder
from softnce_jax.errors import InputError
from softnce_jax.estimators.precomputed import (
    Precomputed,
    precomputed_features,
    sentence,
    teacher,
)
from softnce_jax.pretrained.load import load
from tests.estimators.conftest import CODES, QUERIES, pairs


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks for a handful of texts."""
    monkeypatch.setattr(embed, "BLOCK_ROWS", 2)


def features(estimator, folder, queries=QUERIES, codes=CODES):
    return precomputed_features(estimator, pairs(queries, codes), folder=folder / "features")


@pytest.fixture(scope="module")
def one_by_one(model_folder):
    """Takes a model; returns the vectors of texts alone, pooled by hand, without any padding."""
    first, _ = load(model_folder)

    @jax.jit
    def pooled(params, ids):  # the parameters of any model of that shape
        mask = np.ones(ids.shape, bool)
        positions = first.position_ids(mask, np.arange(ids.size)[None])
        states = first.states(params, ids, mask, positions)[0]
        pooler = first.module.apply({"params": params}, states[:1], method="pooled")[0]
        return {"mean": states.mean(axis=0), "pooler": pooler}

    def vectors(model, texts, length):
        encoder, params = load(model)
        rows = encoder.tokenizer.tokenize(texts, length)
        found = [pooled(params, np.array([row])) for row in rows]
        return {name: np.array([v[name] for v in found], np.float64) for name in found[0]}

    return vectors


def unit(v):
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def test_sentence_is_the_cosine_of_mean_pooled_queries(model_folder, one_by_one, tmp_path):
    a, b = features(sentence(str(model_folder)), tmp_path)
    vectors = one_by_one(model_folder, QUERIES, 12)
    v, p = vectors["mean"], vectors["pooler"]
    expected = unit(v) @ unit(v).T
    np.testing.assert_allclose(a @ b.T, expected, atol=1e-5)
    np.testing.assert_allclose(np.diag(a @ b.T), 1, atol=1e-5)
    # The controls: not normalized, and pooled as the folder says.
    assert np.abs(v @ v.T - expected).max() > 0.1
    assert np.abs(unit(p) @ unit(p).T - expected).max() > 0.01


@pytest.mark.slow
def test_models_with_prompts_and_cosines_are_read_as_their_folder_says(
    model_folder, one_by_one, tmp_path
):
    folder = tmp_path / "prompted"
    shutil.copytree(model_folder, folder)
    (folder / "SHA256SUMS").unlink()
    about = {"prompts": {"query": "find ", "passage": "def "}, "similarity_fn_name": "cosine"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(about))
    found = one_by_one(model_folder, [f"find {query}" for query in QUERIES], 12)
    q, v = found["pooler"], found["mean"]
    c = one_by_one(model_folder, [f"def {code}" for code in CODES], 24)["pooler"]
    a, b = features(teacher(str(folder)), tmp_path)
    np.testing.assert_allclose(a, unit(q), atol=1e-5)
    np.testing.assert_allclose(b, unit(c), atol=1e-5)
    np.testing.assert_allclose(features(sentence(str(folder)), tmp_path)[0], unit(v), atol=1e-5)
    # The control: without the prompts, on each side.
    plain_a, plain_b = features(teacher(str(model_folder)), tmp_path)
    assert np.abs(unit(plain_a) - a).max() > 0.01 and np.abs(unit(plain_b) - b).max() > 0.01


def test_teacher_is_the_dot_product_of_its_own_vectors(
    model_folder, other_folder, one_by_one, tmp_path
):
    for folder, query_length, of_unit_length in (
        (model_folder, 12, False),
        (other_folder, 6, True),
    ):
        a, b = features(teacher(str(folder)), tmp_path)
        q, c = (
            one_by_one(folder, *texts)["pooler"] for texts in ((QUERIES, query_length), (CODES, 24))
        )
        assert np.allclose(np.linalg.norm(a, axis=1), 1, atol=1e-5) == of_unit_length
        if of_unit_length:
            q, c = unit(q), unit(c)
        np.testing.assert_allclose(a @ b.T, q @ c.T, atol=1e-4)
        assert np.abs(q @ q.T - q @ c.T).max() > 0.01, "code is not the query"


def test_the_second_time_no_model_is_loaded(model_folder, tmp_path, monkeypatch):
    estimator = teacher(str(model_folder))
    first = features(estimator, tmp_path)

    def fail(*_, **__):
        raise AssertionError("loaded")

    monkeypatch.setattr("softnce_jax.estimators.precomputed.load", fail)
    for found, expected in zip(features(estimator, tmp_path), first, strict=True):
        np.testing.assert_array_equal(found, expected)
    for queries, codes in ((QUERIES[::-1], CODES), (QUERIES, CODES[::-1])):
        with pytest.raises(AssertionError, match="loaded"):
            features(estimator, tmp_path, queries, codes)


def test_functions_written_otherwise_miss(tmp_path):
    """And those that are not find the entries made before rows had two texts."""
    made = []

    def make(rows, _):
        made.append(rows)
        return {"a": [np.ones((len(rows), 2), np.float32)]}

    rows = pairs(QUERIES, CODES)
    other = [dataclasses.replace(rows[0], source="written otherwise"), *rows[1:]]
    for sides, expected in ((("queries",), [rows]), (("queries", "codes"), [rows, other])):
        made.clear()
        for given in (rows, other, rows):
            precomputed_features(Precomputed("x", "y", sides, make), given, folder=tmp_path)
        assert made == expected


def test_another_model_misses(model_folder, other_folder, tmp_path):
    one, other = sentence(str(model_folder)), sentence(str(other_folder))
    assert one.hash != other.hash and one.hash == teacher(str(model_folder)).hash
    assert np.abs(features(one, tmp_path)[0] - features(other, tmp_path)[0]).max() > 0.01
    features(teacher(str(model_folder)), tmp_path)
    assert len(list((tmp_path / "features").iterdir())) == 3


def test_sentence_does_not_read_the_code(model_folder, tmp_path):
    estimator = sentence(str(model_folder))
    for codes in (CODES, CODES[::-1]):
        features(estimator, tmp_path, codes=codes)
    assert len(list((tmp_path / "features").iterdir())) == 1


def test_a_model_that_is_not_there(tmp_path):
    for estimator in (sentence, teacher):
        with pytest.raises(InputError, match="nowhere: no such folder"):
            estimator(str(tmp_path / "nowhere"))


def test_progress_is_shown(model_folder, tmp_path, capsys):
    features(teacher(str(model_folder)), tmp_path)
    shown = capsys.readouterr().err
    for what in ("teacher: queries: 100%", "teacher: code: 100%", "5/5"):
        assert what in shown


def test_an_interrupted_embedding_goes_on_where_it_was(model_folder, tmp_path, monkeypatch):
    """Five queries and five codes in blocks of two: killed in the fifth block of six."""
    embed, calls = Embedder.__call__, []

    def counted(self, params, ragged):
        if len(calls) == 4 and dying:
            raise KeyboardInterrupt
        calls.append(len(ragged))
        return embed(self, params, ragged)

    expected = features(teacher(str(model_folder)), tmp_path / "whole")
    monkeypatch.setattr(Embedder, "__call__", counted)
    dying = True
    with pytest.raises(KeyboardInterrupt):
        features(teacher(str(model_folder)), tmp_path)
    assert calls == [2, 2, 1, 2]
    dying = False
    found = features(teacher(str(model_folder)), tmp_path)
    assert calls == [2, 2, 1, 2, 2, 1], "the last two blocks alone"
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (entry,) = (tmp_path / "features").iterdir()
    assert (entry / "manifest.json").exists(), "blocks are gone, the entry is there"
