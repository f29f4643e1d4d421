"""Evaluating a run, a checkpoint, a model folder; the files agree with ir_measures."""

from __future__ import annotations

import json

import ir_measures
import pytest

from softnce_jax.errors import InputError
from softnce_jax.retrieval.trec import measures
from softnce_jax.train.config import Config, EvaluateConfig
from softnce_jax.train.evaluation import evaluate
from softnce_jax.train.fit import fit
from softnce_jax.train.queries import read_queries
from tests.train.corpus import write_tasks


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run on 20 tasks: data folder, run folder and results."""
    folder = tmp_path_factory.mktemp("trained")
    tasks = write_tasks(folder / "tasks")
    config = Config(
        lang="python", data=str(tasks), out=str(folder / "run"), encoder="tiny", epochs=2,
        batch_size=8, evaluate_every=1.0, keep=3,
    )  # fmt: skip
    return tasks, folder / "run", fit(config, lambda _: None)


def scored(model, tasks, out, **given) -> dict:
    config = EvaluateConfig(model=str(model), lang="python", data=str(tasks), out=str(out), **given)
    return evaluate(config, lambda _: None)


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


@pytest.mark.parametrize("system", ["model"])
def test_ir_measures_reads_the_same_numbers(trained, tmp_path, system):
    tasks, run, _ = trained
    results = scored(run, tasks, tmp_path, split="valid")
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert results["protocol"]["python"]["split"] == "valid"
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "python" / "qrels")))
    ranked = list(ir_measures.read_trec_run(str(tmp_path / "python" / f"{system}.run")))
    names = {name: ir_measures.parse_measure(text) for name, text in measures(3).items()}
    found = ir_measures.calc_aggregate(names.values(), qrels, ranked)
    summary = results["metrics"]["python"][system]
    for name, measure in names.items():
        assert summary[name]["value"] == pytest.approx(found[measure], abs=1e-9), name


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
