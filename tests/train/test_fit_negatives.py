"""Training with hard negatives: features, masks, resuming, refusals."""

from __future__ import annotations

import dataclasses
import shutil
import signal

import numpy as np
import pytest

from softnce_jax.commands.evaluate import Flags, open_model
from softnce_jax.data.hard_negatives import read_negatives
from softnce_jax.data.load import read_corpus
from softnce_jax.dataflow.cache import GraphCodes, Settings
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.estimators.bm25 import average_length
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config
from softnce_jax.train.features import make_features, precomputed_estimators
from softnce_jax.train.fit import fit
from softnce_jax.train.run_folder import RunFolder
from tests import reference
from tests.commands.mined import mined, write_repeated_tasks
from tests.train.corpus import write_encoder
from tests.train.prepare import prepare
from tests.train.runs import logged_lines, metrics, same_run


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """The data; their encoder lies in it."""
    folder = write_repeated_tasks(tmp_path_factory.mktemp("tasks") / "tasks")
    write_encoder(folder / "encoder", folder)
    return folder


@pytest.fixture(scope="module")
def file(tasks, tmp_path_factory):
    return mined(tasks, tmp_path_factory.mktemp("mined") / "hard.jsonl", k=3)[0]


def config(tasks, out, file, **given) -> Config:
    settings = {"epochs": 1, "batch_size": 8, "evaluate_every": 1.0, "learning_rate": 1e-2}
    settings |= {"encoder": str(tasks / "encoder"), "negatives": file and str(file)}
    settings |= {"query_length": 16, "code_length": 32, "warmup_epochs": 0.0}
    return Config(lang="python", data=str(tasks), out=str(out), **(settings | given))


def test_the_configuration_is_settled_by_the_file(tasks, file):
    settled, data = prepare(dataclasses.replace(config(tasks, None, file), out=None))
    assert settled.negatives_per_query == 3 and data.negatives.index_RK.shape == (24, 3)
    assert settled.out.endswith("-negatives3")
    _, fewer = prepare(config(tasks, None, file, negatives_per_query=1))
    np.testing.assert_array_equal(fewer.negatives.index_RK[2:3], data.negatives.index_RK[2:3, :1])
    # With hard negatives there are enough to cancel 20 of a batch of 8.
    settings = {"loss": "cancel_top_k", "cancel_k": 20}
    assert prepare(config(tasks, None, file, **settings))[0].cancel_k == 20
    with pytest.raises(InputError, match="--cancel-k 20 of 7 negatives"):
        prepare(config(tasks, None, None, **settings))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"negatives_per_query": 4}, "--negatives-per-query 4: .*hard.jsonl has 3 of a query"),
        ({"negatives": "nowhere.jsonl"}, "nowhere.jsonl: no such JSON lines"),
        ({"data": "sample"}, r"not mined from .*: 0 of its .*, 105 of 128 queries are not in it"),
        ({"negatives": None, "negatives_per_query": 2}, "--negatives-per-query 2 of which file"),
    ],
)
def test_negatives_that_do_not_fit_leave_no_run(tasks, file, tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        fit(dataclasses.replace(config(tasks, tmp_path / "run", file), **given))
    assert not (tmp_path / "run").exists()


LENGTHS = """
import numpy as np

def lengths(queries, codes):
    return np.array([[len(q), 1.0] for q in queries]), np.array([[len(c), 1.0] for c in codes])
"""


def test_weights_are_of_the_texts_of_the_hard_negatives(tasks, file, tmp_path, monkeypatch):
    """BM25 of the query of each candidate's pair, and a function of its code, (B, N)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_hard.py").write_text(LENGTHS)
    settled, data = prepare(config(tasks, None, file))
    pairs, near = data.train, data.negatives.index_RK
    processor = Processor(Tokenizer(train_tokenizer([pair.query for pair in pairs], 300)), 16, 16)
    indices = batch_indices(24, 8, seed=0)
    drawn = [j for i in indices[1] for j in (i, *near[i])]
    ids = processor.queries([pair.query for pair in pairs])
    documents = [ids[j] for j in drawn]
    bm25 = reference.bm25([ids[i] for i in indices[1]], average_length(ids), documents=documents)
    lengths = [[len(pairs[i].query) * len(pairs[j].code) + 1 for j in drawn] for i in indices[1]]
    for estimator, expected in (("bm25", bm25), ("user_hard:lengths", lengths)):
        given = dataclasses.replace(settled, estimator=estimator)
        precomputed = precomputed_estimators(given)
        features = make_features(given, pairs, processor, precomputed, tmp_path / "features")
        batch = batches(indices, pairs, processor, features, keys=True, negatives=near)[1]
        found = batch.query_features @ batch.code_features.T
        assert found.shape == (8, 32)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_code_with_data_flow(tasks, file):
    """Hard negatives come with theirs, each in its text's slot."""
    pairs = read_corpus(tasks, "python").train
    tokenizer = Tokenizer(train_tokenizer([pair.code for pair in pairs], 300))
    graphs = GraphCodes(tokenizer, Settings("published", 32, 16))
    graphs.prepare(pairs)
    near = read_negatives(str(file), pairs).index_RK
    indices = batch_indices(24, 8, seed=0)
    processor = Processor(tokenizer, 16, 32, graphs)
    options = {"keys": True, "negatives": near, "one_text_per_row": True}
    texts = batches(indices, pairs, processor, **options)[0].texts
    drawn = [pairs[j] for i in indices[0] for j in (i, *near[i])]
    rows_of_codes = texts.codes[0] // processor.capacity.slots
    assert len(drawn) == len(rows_of_codes) == 32
    for row, expected in zip(rows_of_codes, graphs(drawn), strict=True):
        rows = [array[0, row] for array in (texts.rows.ids, texts.rows.spans, texts.rows.edges)]
        ids, spans, edges = rows
        nodes = slice(len(expected) - len(expected.spans), len(expected))
        np.testing.assert_array_equal(ids[: len(expected)], expected.ids)
        np.testing.assert_array_equal(spans[nodes], expected.spans)
        np.testing.assert_array_equal(edges[: len(expected.edges)], expected.edges)


@pytest.fixture(scope="module")
def whole(tasks, file, tmp_path_factory):
    """A run with hard negatives: its folder, results and what it logged."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    with logged_lines() as lines:
        results = fit(config(tasks, out, file))
    return out, results, "\n".join(lines)


@pytest.mark.slow
def test_a_run_logs_its_hard_negatives(whole, file, tasks, tmp_path):
    out, results, logged = whole
    assert f"negatives 3 hard ones a query, by bm25 ({file})" in logged
    assert (
        "texts     24 of 24 training pairs have the text of another (2 its query, 24 its code)"
        in logged
    )
    assert results["config"]["negatives"] == str(file)
    assert results["config"]["negatives_per_query"] == 3
    assert results["negatives"]["model"] == "bm25" and results["negatives"]["filled"] > 0
    assert results["duplicates"]["code"] == 24
    without = tmp_path / "without"
    fit(config(tasks, without, None))
    losses = [[m["loss"] for m in metrics(run) if "loss" in m] for run in (out, without)]
    assert len(losses[0]) == 3 and min(a - b for a, b in zip(*losses, strict=True)) > 0.1
    # 8 · 4 candidates; what is right for a row, or filled with it, is none of its negatives.
    assert 1 / 31 <= metrics(out)[0]["p_mean"] < 1 / 24
    # A checkpoint of it needs no file of negatives.
    moved = file.rename(file.with_name("moved.jsonl"))
    open_model(Flags(model=str(out / "checkpoints" / "3")))
    moved.rename(file)


@pytest.mark.slow
def test_stopped_and_resumed_ends_with_the_same_bits(
    whole, tasks, file, tmp_path, monkeypatch, caplog
):
    log = RunFolder.log

    def log_and_signal(self, line):
        log(self, line)
        if line["step"] == 1:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(RunFolder, "log", log_and_signal)
    with pytest.raises(SystemExit):
        fit(config(tasks, tmp_path / "run", file))
    monkeypatch.undo()
    elsewhere = shutil.copy(file, tmp_path / "elsewhere.jsonl")
    fit(config(tasks, tmp_path / "run", elsewhere))
    assert "resuming after step" in caplog.text
    stored = tmp_path / "run" / "results.json"
    stored.write_text(stored.read_text().replace(str(elsewhere), str(file)))
    assert same_run(whole[0], tmp_path / "run")


@pytest.mark.slow
def test_another_file_is_another_run(whole, tasks, tmp_path):
    other, _, _ = mined(tasks, tmp_path / "other.jsonl", k=3, ranks=(2, 9))
    with pytest.raises(InputError, match=r"another configuration \(negatives_hash: '\w+' -> '\w+'"):
        fit(config(tasks, whole[0], other))
