"""Evaluating a run, a checkpoint, a model folder; the files agree with ir_measures."""

from __future__ import annotations

import dataclasses
import json
import shutil

import ir_measures
import jax
import numpy as np
import pytest

from softnce_jax.commands.evaluate import Flags, evaluate, open_model
from softnce_jax.errors import InputError
from softnce_jax.retrieval.per_query import read_queries
from softnce_jax.retrieval.qrels import measures
from softnce_jax.train import checkpoint, setup
from softnce_jax.train.checkpoint import read_config
from softnce_jax.train.config import ADDED, Config
from softnce_jax.train.fit import fit
from tests.train.corpus import write_encoder, write_tasks


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run on 20 tasks: data folder, run folder and results.

    Its step is the program of the run in tests/train/test_fit.py.
    """
    folder = tmp_path_factory.mktemp("trained")
    tasks = write_tasks(folder / "tasks")
    encoder = write_encoder(folder / "encoder", tasks)
    config = Config(
        lang="python", data=str(tasks), out=str(folder / "run"), encoder=str(encoder), epochs=4,
        batch_size=8, evaluate_every=2.0, keep=3, learning_rate=1e-2, warmup_epochs=0.0,
    )  # fmt: skip
    return tasks, folder / "run", fit(config)


def scored(model, tasks, out, **given) -> dict:
    return evaluate(Flags(model=str(model), lang="python", data=str(tasks), out=str(out), **given))


def test_a_run_its_model_and_its_checkpoint_score_the_same(trained, tmp_path):
    tasks, run, results = trained
    wanted = results["metrics"]["python"]
    for number, model in enumerate(
        (run, run / "model", run / "checkpoints" / str(results["best"]["step"]))
    ):
        found = scored(model, tasks, tmp_path / str(number))["metrics"]["python"]
        assert found["model"] == wanted["trained"] and found["BM25"] == wanted["BM25"]
        values = read_queries(tmp_path / str(number)).values["python"]["model"]
        assert values["mrr"].mean() == pytest.approx(found["model"]["mrr"]["value"])
    steps = [int(p.name) for p in (run / "checkpoints").iterdir() if p.name.isdigit()]
    other = next(step for step in steps if step != results["best"]["step"])
    found = scored(run / "checkpoints" / str(other), tasks, tmp_path / "other")
    assert found["metrics"]["python"]["model"] != wanted["trained"]


def test_a_checkpoint_imports_nothing_that_it_names(trained, tmp_path, monkeypatch):
    _, run, results = trained
    monkeypatch.syspath_prepend(tmp_path)
    canary = tmp_path / "canary"
    source = f"open({str(canary)!r}, 'w').close()\ndef loss(q, c, w, **_): return 0.0\n"
    (tmp_path / "evil_checkpoint.py").write_text(source)
    shutil.copytree(run, tmp_path / "run")
    checkpoint = tmp_path / "run/checkpoints" / str(results["best"]["step"])
    about = checkpoint / "about/metadata"
    text = about.read_text().replace('"soft_infonce"', '"evil_checkpoint:loss"')
    about.write_text(text.replace('"bm25"', '"evil_checkpoint:loss"'))
    assert about.read_text().count("evil_checkpoint") == 2
    _, params = open_model(Flags(model=str(checkpoint)))
    _, wanted = open_model(Flags(model=str(run / "model")))
    assert all(map(np.array_equal, jax.tree.leaves(params), jax.tree.leaves(wanted)))
    assert not canary.exists()


@pytest.mark.slow
def test_a_checkpoint_does_not_care_for_devices_and_batches(trained, tmp_path, monkeypatch):
    tasks, run, results = trained
    # Batches of 8 are not divisible by them.
    three = jax.devices()[:3]
    monkeypatch.setattr(jax, "devices", lambda: three)
    checkpoint = run / "checkpoints" / str(results["best"]["step"])
    found = scored(checkpoint, tasks, tmp_path / "three")["metrics"]["python"]
    assert found["model"] == results["metrics"]["python"]["trained"]


def vector(model, **flags) -> np.ndarray:
    """That of one text under a model."""
    encoder, params = open_model(Flags(model=str(model), **flags))
    return np.asarray(jax.jit(encoder.embed)(params, np.full((1, 4), 7)))


def test_a_folder_that_says_cosine_is_ranked_by_it(tmp_path):
    model = write_encoder(tmp_path / "model", write_tasks(tmp_path / "tasks"), normalize=False)
    (model / "SHA256SUMS").unlink()
    length = np.linalg.norm(vector(model))
    about = model / "config_sentence_transformers.json"
    about.write_text(json.dumps({"similarity_fn_name": "cosine"}))
    assert np.linalg.norm(vector(model)) == pytest.approx(1.0) != length


@pytest.mark.slow
def test_a_checkpoint_is_evaluated_in_the_precision_asked_for(trained):
    _, run, results = trained
    models = run / "checkpoints" / str(results["best"]["step"]), run / "model"
    vectors = []
    for model in models:
        vectors.append(vector(model, precision="bfloat16"))
    np.testing.assert_array_equal(*vectors)
    assert (vectors[0] != vector(models[0])).any()


def test_ir_measures_reads_the_same_numbers(trained, tmp_path):
    tasks, run, _ = trained
    results = scored(run, tasks, tmp_path, split="valid")
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert results["protocol"]["python"]["split"] == "valid"
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "python" / "qrels")))
    ranked = list(ir_measures.read_trec_run(str(tmp_path / "python" / "model.run")))
    names = {name: ir_measures.parse_measure(text) for name, text in measures(3).items()}
    found = ir_measures.calc_aggregate(names.values(), qrels, ranked)
    summary = results["metrics"]["python"]["model"]
    for name, measure in names.items():
        assert summary[name]["value"] == pytest.approx(found[measure], abs=1e-9), name


def test_judgements(trained, tmp_path, caplog):
    """The run's test queries, graded: 3 for the true code, 0 for another function."""
    tasks, run, _ = trained
    pairs = [json.loads(line) for line in (tasks / "test.jsonl").read_text().splitlines()]
    lines = [f"Python,{p['query']},{p['url']},3" for p in pairs]
    lines += [f"Python,{pairs[0]['query']},elsewhere,1", f"Python,nobody knows,{pairs[0]['url']},0"]
    judgements = tmp_path / "judged.csv"
    judgements.write_text("\n".join(["language,query,url,relevance", *lines]))
    flags = Flags(
        model=str(run), lang="python", data=str(tasks), out=str(tmp_path / "out"),
        judgements=str(judgements),
    )  # fmt: skip
    results = evaluate(flags)
    assert f"{len(pairs) + 1} of {len(pairs) + 2} judged functions among them" in caplog.text
    about = results["protocol"]["python"]
    assert (about["queries"], about["judged"]) == (len(pairs), len(pairs) + 2)
    found = results["metrics"]["python"]
    split = scored(run, tasks, tmp_path / "split")["metrics"]["python"]
    for system in ("BM25", "model"):
        assert found[system]["ndcg_judged"]["value"] > 0.9  # little else was judged
        # One relevant function: its nDCG falls with its rank as its reciprocal rank does.
        assert split[system]["mrr"]["value"] <= found[system]["ndcg_all"]["value"] < 1
    written = read_queries(tmp_path / "out").values["python"]["model"]["ndcg_all"]
    assert written.mean() == pytest.approx(found["model"]["ndcg_all"]["value"])
    assert "nDCG judged" in caplog.text
    judgements.write_text("query,url,relevance\nsort,elsewhere,3\n")
    with pytest.raises(InputError, match="none of the relevant functions of 1 queries is among"):
        evaluate(flags)
    with pytest.raises(InputError, match="--split test: judged queries are in no split"):
        evaluate(dataclasses.replace(flags, split="test"))


@pytest.mark.parametrize("changed", ["weights", "of the last release", None])
def test_a_checkpoint_of_an_encoder_that_changed(trained, monkeypatch, changed):
    """Its tokenizer would be another one than that of the weights."""
    _, run, results = trained
    flags = Flags(model=str(run / "checkpoints" / str(results["best"]["step"])))
    if changed:
        monkeypatch.setattr(setup, "fingerprint", lambda *_, **__: "another")
    if changed == "of the last release":
        stored = read_config(run / "checkpoints", results["best"]["step"])
        new = {*ADDED, "log"}  # and a field that it had not
        assert new <= stored.keys()
        older = {name: value for name, value in stored.items() if name not in new}
        monkeypatch.setattr(checkpoint, "read_config", lambda *_: older)
    if changed == "weights":
        with pytest.raises(InputError, match=r"of something else \(encoder_hash: .* has other"):
            open_model(flags)
    else:
        assert open_model(flags)


def test_ranges_are_checked_before_the_model_is_read(tmp_path):
    with pytest.raises(InputError, match="--depth 0: expected int >= 1"):
        evaluate(Flags(model=str(tmp_path / "nowhere"), depth=0))


def test_split_without_queries(trained, tmp_path):
    tasks, run, _ = trained
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "codebase.jsonl").write_text(
        (tasks / "codebase.jsonl").read_text(), "utf-8"
    )
    with pytest.raises(InputError, match="no python queries in test or valid"):
        scored(run, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_models_that_cannot_be_evaluated(trained, tmp_path):
    tasks, run, _ = trained
    with pytest.raises(InputError, match="no such checkpoint"):
        scored(run / "checkpoints" / "777", tasks, tmp_path)
    (tmp_path / "unfinished").mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (tmp_path / "unfinished" / name).write_text("{}")
    with pytest.raises(InputError, match="the run is not finished"):
        scored(tmp_path / "unfinished", tasks, tmp_path)
