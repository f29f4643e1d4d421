"""A whole run on a corpus of 20 tasks: it learns, stops, resumes to the bit, and refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from softnce_jax.errors import InputError
from softnce_jax.pretrained.load import load
from softnce_jax.retrieval.per_query import read_queries
from softnce_jax.train import run_folder as run_module
from softnce_jax.train.config import Config
from softnce_jax.train.fit import fit
from tests.train.corpus import write_tasks
from tests.train.runs import metrics, same_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return write_tasks(tmp_path_factory.mktemp("tasks"))


def config(tasks, out, **given) -> Config:
    settings = {"epochs": 4, "batch_size": 8, "evaluate_every": 1.0, "encoder": "tiny"}
    return Config(lang="python", data=str(tasks), out=str(out), **(settings | given))


@pytest.fixture(scope="module")
def whole(tasks, tmp_path_factory):
    """A run from start to end: its folder, results and what it said."""
    out, lines = tmp_path_factory.mktemp("runs") / "whole", []
    results = fit(config(tasks, out), lines.append)
    return out, results, "\n".join(lines)


def test_says_what_it_does_and_what_it_found(whole):
    out, results, said = whole
    for part in ("24 train, 8 valid, 8 test pairs, 20 candidates", "encoder   tiny", "12 steps"):
        assert part in said
    for part in ("BM25", "untrained", "trained", "MRR", "R@10", "nDCG@10", str(out)):
        assert part in said
    assert json.loads((out / "results.json").read_text()) == results
    assert results["protocol"]["python"]["candidates"] == 20
    systems = results["metrics"]["python"]
    assert list(systems) == ["BM25", "untrained", "trained"]
    assert systems["trained"]["mrr"].keys() == {"value", "low", "high"}


def test_the_loss_falls(whole):
    losses = [line["loss"] for line in metrics(whole[0]) if "loss" in line]
    assert len(losses) == 12 and sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_every_query_is_kept_and_its_batches_analysed(whole):
    out, results, _ = whole
    queries = read_queries(out)
    for system, summary in results["metrics"]["python"].items():
        values = queries.values["python"][system]
        assert values.keys() == summary.keys() and "negative_ndcg@10" in values
        for name, value_Q in values.items():
            assert value_Q.mean() == pytest.approx(summary[name]["value"])
    assert len(queries.hashes["python"]["query"]) == 8
    analysis = results["analysis"]["python"]
    assert analysis.keys() == {"untrained", "trained"}
    assert analysis["trained"]["batch_size"] == 8 and analysis["trained"]["batches"] == 1
    assert analysis["trained"]["kl"]["bm25"] != analysis["untrained"]["kl"]["bm25"]


def test_the_best_evaluation_is_exported(whole):
    out, results, _ = whole
    evaluations = {m["step"]: m["valid_mrr"] for m in metrics(out) if "valid_mrr" in m}
    assert list(evaluations) == [3, 6, 9, 12]
    assert results["best"]["mrr"] == max(evaluations.values())
    assert evaluations[results["best"]["step"]] == results["best"]["mrr"]
    encoder, params = load(out / "model")
    assert encoder.code_length == results["config"]["code_length"] and params


def test_a_finished_run_is_shown_again(whole, tasks):
    out, results, _ = whole
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    lines = []
    assert fit(config(tasks, out), lines.append) == results
    assert "trained" in "\n".join(lines)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


def test_another_configuration_names_the_fields(whole, tasks):
    with pytest.raises(
        InputError, match=r"another configuration \(epochs: 4 -> 5; seed: 1234 -> 7"
    ):
        fit(config(tasks, whole[0], epochs=5, seed=7), print)


def compilations(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [line["compilations"] for line in map(json.loads, lines) if "loss" in line]


@pytest.mark.slow
def test_warming_up_compiles_first_and_changes_nothing(whole, tasks, tmp_path):
    said = []
    fit(config(tasks, tmp_path / "warm", warm_up=True), said.append)
    counts = compilations(tmp_path / "warm")
    assert f"compiled for {counts[0]} shapes of batches" in said
    assert counts[:3] == [counts[0]] * 3  # the first epoch's batches are 3
    assert metrics(tmp_path / "warm") == metrics(whole[0])
    assert compilations(whole[0])[0] == 1 <= compilations(whole[0])[-1] <= counts[-1]


@pytest.mark.slow
def test_layouts_and_slices_are_one_run(whole, tasks, tmp_path):
    """Packed and padded, at once or in slices, recomputed or kept: the same curve."""
    options = [{"layout": "padded"}, {"micro_batch": 4}, {"gradient_checkpointing": True}]
    expected = [line["loss"] for line in metrics(whole[0]) if "loss" in line]
    for number, given in enumerate(options):
        out = tmp_path / str(number)
        fit(config(tasks, out, **given), lambda _: None)
        found = [line["loss"] for line in metrics(out) if "loss" in line]
        np.testing.assert_allclose(found, expected, rtol=1e-3)
    # They are one run: another processor goes on with it.
    shutil.copytree(whole[0], tmp_path / "stopped")
    (tmp_path / "stopped" / "results.json").unlink()
    for gone in ("model", "checkpoints/12"):
        shutil.rmtree(tmp_path / "stopped" / gone)
    said = []
    fit(config(tasks, tmp_path / "stopped", layout="padded"), said.append)
    found = [line["loss"] for line in metrics(tmp_path / "stopped") if "loss" in line]
    assert any("resuming after step" in line for line in said)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert found[:3] == expected[:3] and found[-3:] != expected[-3:]


def test_a_warm_up_that_rounds_to_the_whole_training(tasks, tmp_path):
    with pytest.raises(InputError, match=r"--warmup-epochs 1\.9 are 2 steps of 1 an epoch"):
        fit(config(tasks, tmp_path / "run", batch_size=24, epochs=2, warmup_epochs=1.9), print)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_another_seed_is_another_run(whole, tasks, tmp_path):
    fit(config(tasks, tmp_path / "other", seed=12345), lambda _: None)
    assert not same_run(whole[0], tmp_path / "other")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_the_same_call_resumes(
    whole, tasks, tmp_path, monkeypatch, capsys, number
):
    log = run_module.RunFolder.log

    def log_and_signal(self, line):
        log(self, line)
        if line["step"] == 4:
            signal.raise_signal(number)

    monkeypatch.setattr(run_module.RunFolder, "log", log_and_signal)
    with pytest.raises(SystemExit) as stopped:
        fit(config(tasks, tmp_path / "run"), lambda _: None)
    assert stopped.value.code == 128 + number
    assert "the same command resumes" in capsys.readouterr().err
    monkeypatch.undo()
    assert not (tmp_path / "run" / "results.json").exists()
    lines = []
    fit(config(tasks, tmp_path / "run"), lines.append)
    assert any("resuming after step" in line for line in lines)
    assert same_run(whole[0], tmp_path / "run")


@pytest.mark.parametrize("damage", ["truncate", "delete", "flip"])
def test_a_damaged_checkpoint_costs_only_steps(whole, tasks, tmp_path, damage):
    out = tmp_path / "run"
    shutil.copytree(whole[0], out)
    shutil.rmtree(out / "model")
    (out / "results.json").unlink()
    latest = out / "checkpoints" / "12"
    data = max((p for p in latest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    if damage == "delete":
        data.unlink()
    else:
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= damage == "flip"
        data.write_bytes(content[: len(content) // 2 if damage == "truncate" else None])
    lines = []
    fit(config(tasks, out), lines.append)
    assert any(line.startswith("checkpoint 12 is damaged") for line in lines)
    assert "resuming after step 9 of 12" in lines
    assert same_run(whole[0], out)


def test_a_loss_that_is_not_finite_stops_before_saving(tasks, tmp_path):
    with pytest.raises(FloatingPointError) as error:
        fit(config(tasks, tmp_path / "run", learning_rate=1e30, evaluate_every=4.0), lambda _: None)
    message = str(error.value)
    assert "step 2: loss" in message or "step 3: loss" in message
    assert "last checkpoint: none" in message and message.count("sample/python/") == 8
    assert not (tmp_path / "run" / "results.json").exists()
    assert not any(p.name.isdigit() for p in (tmp_path / "run" / "checkpoints").iterdir())


def test_errors_leave_nothing_behind(tasks, tmp_path):
    for given in ({"encoder": str(tmp_path / "nowhere")}, {"batch_size": 10}, {"code_length": 999}):
        with pytest.raises(InputError):
            fit(config(tasks, tmp_path / "run", **given), lambda _: None)
        assert not (tmp_path / "run").exists()


def command(tasks, out) -> list[str]:
    flags = {"lang": "python", "data": tasks, "out": out, "encoder": "tiny"}
    flags |= {"epochs": 4, "batch-size": 8, "evaluate-every": 1.0}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return [sys.executable, str(ROOT / "experiments" / "finetune.py"), *words]


def saving(out: Path) -> bool:
    folder = out / "checkpoints"
    return folder.exists() and any("tmp" in path.name for path in folder.iterdir())


def logged(lines: int):
    def reached(out: Path) -> bool:
        path = out / "metrics.jsonl"
        return path.exists() and path.read_bytes().count(b"\n") >= lines

    return reached


MOMENTS = {
    "before the first checkpoint": logged(1),
    "while saving": saving,
    "between checkpoints": logged(6),
    "at the end": lambda out: (out / ".model.new").exists() or (out / "model").exists(),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again_ends_with_the_same_bits(whole, tasks, tmp_path, moment):
    out = tmp_path / "run"
    process = subprocess.Popen(command(tasks, out), env=os.environ, stderr=subprocess.DEVNULL)
    while process.poll() is None and not MOMENTS[moment](out):
        time.sleep(0.002)
    assert process.poll() is None, "the run ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "results.json").exists()
    done = subprocess.run(command(tasks, out), capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert same_run(whole[0], out)
