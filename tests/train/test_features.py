"""Estimators in a run: features by index, sums, the cache, other models refused, warnings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from softnce_jax.data.sample import load_sample
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.estimators.bm25 import average_length, bm25_features, corpus_idf
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config
from softnce_jax.train.features import make_features, precomputed_estimators
from softnce_jax.train.fit import fit
from softnce_jax.train.setup import cache_folder
from tests.small_model import write_model
from tests.train.corpus import write_tasks
from tests.train.prepare import prepare

LENGTHS = """
import numpy as np

def lengths(queries, codes):
    return np.array([[len(q), 1.0] for q in queries]), np.array([[len(c), 1.0] for c in codes])
"""


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("user_lengths.py").write_text(LENGTHS)
    return write_tasks(tmp_path / "tasks")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A finished run, to be trained on, to be a sentence model and a teacher."""
    run = tmp_path_factory.mktemp("model") / "run"
    run.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (run / name).write_text("{}")
    write_model(run / "model", [pair.query for pair in load_sample("python").train])
    return run


def config(tasks, out, encoder="tiny", **given) -> Config:
    settings = {
        "epochs": 1,
        "batch_size": 8,
        "evaluate_every": 1.0,
        "query_length": 12,
        "code_length": 24,
    }
    settings |= {"encoder": str(encoder)}
    return Config(lang="python", data=str(tasks), out=str(out), **(settings | given))


def drawn(tasks, prompt="", **given):
    """The similarity of batch 2, its indices, the pairs and the token ids of their queries."""
    settled, data = prepare(config(tasks, "run", **given))
    pairs = data.train
    processor = Processor(Tokenizer(train_tokenizer([pair.query for pair in pairs], 300)), 40, 12)
    processor = processor._replace(query_prompt=prompt)
    precomputed = precomputed_estimators(settled)
    features = make_features(settled, pairs, processor, precomputed, tasks / "features")
    indices = batch_indices(len(pairs), 8, seed=0)
    batch = batches(indices, pairs, processor, features)[2]
    ids = processor.queries([pair.query for pair in pairs])
    return batch.query_features @ batch.code_features.T, indices[2], pairs, ids


def test_a_function_is_drawn_with_the_batch(tasks):
    found, index, pairs, _ = drawn(tasks, estimator="user_lengths:lengths", temperature=99.0)
    expected = [[len(pairs[i].query) * len(pairs[j].code) + 1 for j in index] for i in index]
    np.testing.assert_allclose(found, expected)
    assert (index != np.arange(8)).any()


NEGATIVES = ~np.eye(8, dtype=bool)


@pytest.mark.parametrize("statistics", ["batch", "corpus"])
def test_bm25_of_the_batch_or_of_the_training_set(statistics, tasks):
    found, index, _, ids = drawn(tasks, bm25_statistics=statistics)
    # The length that is average is that of all queries, in either case.
    assert abs(average_length([ids[i] for i in index]) - average_length(ids)) > 0.1
    for idf, equal in ((None, statistics == "batch"), (corpus_idf(ids), statistics == "corpus")):
        a, b = bm25_features([ids[i] for i in index], average_length(ids), idf=idf)
        assert np.allclose(found[NEGATIVES], (a @ b.T)[NEGATIVES], atol=1e-5) == equal


@pytest.mark.parametrize("statistics", ["batch", "corpus"])
def test_bm25_counts_no_word_of_a_prompt(statistics, tasks):
    found, index, _, ids = drawn(tasks, "sort the list: ", bm25_statistics=statistics)
    np.testing.assert_array_equal(found, drawn(tasks, bm25_statistics=statistics)[0])
    idf = corpus_idf(ids) if statistics == "corpus" else None  # the control: with it
    a, b = bm25_features([ids[i] for i in index], average_length(ids), idf=idf)
    assert np.abs((a @ b.T - found)[NEGATIVES]).max() > 0.1


@pytest.mark.parametrize(
    ("given", "whole"),
    [({}, False), ({"duplicates": "exclude"}, False), ({"duplicates": "weight"}, True),
     ({"loss": "cancel_threshold"}, True), ({"loss": "bce"}, False)],
)  # fmt: skip
def test_the_similarity_of_the_positive_is_whole_where_it_is_read(given, whole, tasks):
    found, index, _, ids = drawn(tasks, **given)
    a, b = bm25_features([ids[i] for i in index], average_length(ids))
    assert np.allclose(np.diag(found), np.diag(a @ b.T), atol=1e-5) == whole


def test_a_sum_is_the_weighted_sum(tasks, model):
    parts = {"bm25": {}, "sentence": {"sentence_model": str(model)}}
    parts["user_lengths:lengths"] = {"temperature": 1.0}
    alone = [drawn(tasks, estimator=name, **given)[0] for name, given in parts.items()]
    given = {name: value for more in parts.values() for name, value in more.items()}
    text = "0.5*bm25 + 2*sentence + user_lengths:lengths"
    found = drawn(tasks, estimator=text, **given)[0]
    np.testing.assert_allclose(found, 0.5 * alone[0] + 2 * alone[1] + alone[2], rtol=1e-5)


def test_features_lie_beside_the_data(tasks, monkeypatch):
    monkeypatch.setenv("SOFTNCE_DATA", "/elsewhere")
    assert cache_folder(str(tasks), "features") == tasks / "features"
    assert cache_folder(str(tasks / "train.jsonl"), "features") == tasks / "features"
    assert (
        cache_folder("sample", "features")
        == cache_folder("auto", "features")
        == Path("/elsewhere/features")
    )
    monkeypatch.setattr("os.access", lambda *_: False)
    assert cache_folder(str(tasks), "features") == Path("/elsewhere/features")


def metrics(folder) -> list[dict]:
    lines = map(json.loads, (Path(folder) / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if "loss" in line]


@pytest.mark.slow
def test_a_run_with_a_teacher_and_the_next_from_its_cache(tasks, model, tmp_path, capsys, caplog):
    given = {"estimator": "teacher+sentence", "teacher": str(model), "sentence_model": str(model)}
    given |= {"temperature": 0.2}
    results = fit(config(tasks, tmp_path / "one", model, **given))
    err = capsys.readouterr().err
    assert "teacher: code: 100%" in err and "warning" not in err
    for name in ("teacher", "sentence"):
        assert f"estimator 1 * {name}, {model}" in caplog.messages
    hashes = results["config"]["estimator_hash"]
    assert sorted(hashes) == ["sentence", "teacher"] and len(set(hashes.values())) == 1
    fit(config(tasks, tmp_path / "two", model, **given))
    assert "teacher" not in capsys.readouterr().err
    first, again = metrics(tmp_path / "one"), metrics(tmp_path / "two")
    names = {"p_mean", "p_max", "weight_entropy", "weight_floor", "weight_effective"}
    assert names < first[0].keys() and len(first) == 3
    assert [m["loss"] for m in first] == [m["loss"] for m in again]
    assert [m["p_max"] for m in first] == [m["p_max"] for m in again]


@pytest.mark.slow
def test_another_model_is_another_run(tasks, model, tmp_path):
    copy = shutil.copytree(model / "model", tmp_path / "copy")
    given = {"estimator": "teacher", "temperature": 1e6}
    results = fit(config(tasks, tmp_path / "run", model, teacher=str(copy), **given))
    moved = copy.rename(tmp_path / "moved")
    again = config(tasks, tmp_path / "run", model, teacher=str(moved), **given)
    assert fit(again) == results, "the same model elsewhere is the same"
    weights = bytearray((moved / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (moved / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match=r"another configuration \(estimator_hash"):
        fit(again)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"estimator": "teacher", "teacher": "nowhere"}, "nowhere: no such folder"),
        ({"estimator": "sentence", "sentence_model": "tasks"}, "config.json: missing"),
        ({"estimator": "nowhere:f", "temperature": 1.0}, "nowhere cannot be imported"),
        ({"estimator": "user_nan:f", "temperature": 1.0}, "second matrix is not finite in row 3"),
    ],
)
def test_errors_leave_no_run_behind(given, message, tasks, model, tmp_path):
    Path("user_nan.py").write_text(
        "import numpy as np\n\ndef f(queries, codes):\n    a = np.ones((len(codes), 2))\n"
        "    b = a.copy()\n    b[3, 1] = np.nan\n    return a, b\n"
    )
    with pytest.raises(InputError, match=message):
        fit(config(tasks, tmp_path / "run", model, **given))
    assert not (tmp_path / "run").exists()
