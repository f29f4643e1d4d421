"""A whole run on a corpus of 20 tasks: it learns, stops, resumes to the bit, and refuses."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from softnce_jax.data.load import read_corpus
from softnce_jax.errors import InputError
from softnce_jax.files import changed_file
from softnce_jax.pretrained.load import load
from softnce_jax.retrieval.per_query import query_hashes, read_queries
from softnce_jax.train import loop
from softnce_jax.train import run_folder as run_module
from softnce_jax.train.config import Config
from softnce_jax.train.fit import fit
from softnce_jax.train.signals import StopSignal
from tests.train.corpus import write_encoder, write_tasks
from tests.train.runs import logged_lines, metrics, same_run, to_be_killed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """The data of all runs here; their encoder lies in it."""
    folder = write_tasks(tmp_path_factory.mktemp("tasks"))
    write_encoder(folder / "encoder", folder)
    return folder


def config(tasks, out, **given) -> Config:
    settings = {"encoder": str(tasks / "encoder"), "epochs": 4, "batch_size": 8}
    settings |= {"evaluate_every": 2.0, "learning_rate": 1e-2, "warmup_epochs": 0.0}
    return Config(lang="python", data=str(tasks), out=str(out), **(settings | given))


@pytest.fixture(scope="module", autouse=True)
def shared_steps():
    """Runs of one configuration share its step: each would trace and lower the same program."""
    steps, build = {}, loop.build_step

    def build_once(config, *given):
        step, state = build(config, *given)
        return steps.setdefault(dataclasses.replace(config, out=""), step), state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "build_step", build_once)
        yield


def unfinished(run: Path, out: Path) -> Path:
    """A copy of a run as it was before its model and results were written."""
    shutil.copytree(run, out)
    shutil.rmtree(out / "model")
    (out / "results.json").unlink()
    return out


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in metrics(folder) if "loss" in line]


@pytest.fixture(scope="module")
def whole(tasks, tmp_path_factory):
    """A run from start to end: its folder, results and what it logged."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    with logged_lines() as lines:
        results = fit(config(tasks, out))
    return out, results, "\n".join(lines)


def test_logs_its_plan_and_its_results(whole, tasks):
    out, results, logged = whole
    for part in (
        "24 train, 8 valid, 8 test pairs, 20 candidates",
        f"encoder   {tasks / 'encoder'}",
        "12 steps",
    ):
        assert part in logged
    for part in ("BM25", "untrained", "trained", "MRR", "R@10", "nDCG@10", str(out)):
        assert part in logged
    assert json.loads((out / "results.json").read_text()) == results
    assert results["protocol"]["python"]["candidates"] == 20
    systems = results["metrics"]["python"]
    assert list(systems) == ["BM25", "untrained", "trained"]
    assert systems["trained"]["mrr"].keys() == {"value", "low", "high"}


def test_the_loss_falls(whole):
    found = losses(whole[0])
    assert len(found) == 12 and sum(found[-3:]) < 0.8 * sum(found[:3])


def test_which_steps_were_clipped_is_logged(whole):
    out, _, logged = whole
    steps = [line for line in metrics(out) if "loss" in line]
    assert [line["clipped"] for line in steps] == [int(line["grad_norm"] > 1.0) for line in steps]
    clipped = sum(line["clipped"] for line in steps)
    assert f"gradients of {clipped} of 12 steps ({clipped / 12:.0%}".replace("%", " %)") in logged
    assert clipped > 0


def test_every_query_is_written_and_its_batches_analysed(whole, tasks):
    out, results, _ = whole
    queries = read_queries(out)
    for system, summary in results["metrics"]["python"].items():
        values = queries.values["python"][system]
        assert values.keys() == summary.keys() and "negative_ndcg@10" in values
        for name, value_Q in values.items():
            assert value_Q.mean() == pytest.approx(summary[name]["value"])
    expected = query_hashes(read_corpus(tasks, "python").test)
    assert {name: hash_Q.tolist() for name, hash_Q in queries.hashes["python"].items()} == {
        name: hash_Q.tolist() for name, hash_Q in expected.items()
    }
    analysis = results["analysis"]["python"]
    assert analysis.keys() == {"untrained", "trained"}
    assert analysis["trained"]["batch_size"] == 8 and analysis["trained"]["batches"] == 1
    assert analysis["trained"]["kl"]["bm25"] != analysis["untrained"]["kl"]["bm25"]


def test_the_best_evaluation_is_exported(whole):
    out, results, _ = whole
    evaluations = {m["step"]: m["valid_mrr"] for m in metrics(out) if "valid_mrr" in m}
    assert list(evaluations) == [6, 12]
    assert results["best"]["mrr"] == max(evaluations.values())
    assert evaluations[results["best"]["step"]] == results["best"]["mrr"]
    encoder, params = load(out / "model")
    assert encoder.code_length == results["config"]["code_length"] and params


@pytest.mark.slow
def test_a_learned_scale_is_trained_logged_and_resumed(whole, tasks, tmp_path, caplog):
    out = tmp_path / "learned"
    results = fit(config(tasks, out, scale="learned"))
    assert any(line.endswith(", learned scale") for line in caplog.messages)
    scales = [line["scale"] for line in metrics(out) if "loss" in line]
    assert scales[0] == pytest.approx(20.0) and 1e-4 < abs(scales[-1] - 20.0) < 0.2
    assert results["config"]["scale"] == "learned"
    # The scale of the best step, which is the one that the next step's loss takes.
    after = dict(enumerate(scales[1:], start=1))
    if results["best"]["step"] in after:
        assert results["scale"] == pytest.approx(after[results["best"]["step"]])
    assert results["scale"] != pytest.approx(20.0, abs=1e-5)
    # Neither a part of the model nor of a run whose scale is fixed.
    assert set(load_file(out / "model/model.safetensors")) == set(
        load_file(whole[0] / "model/model.safetensors")
    )
    assert "scale" not in whole[1] and not any("scale" in line for line in metrics(whole[0]))

    stopped = unfinished(out, tmp_path / "stopped")
    shutil.rmtree(stopped / "checkpoints" / "12")
    fit(config(tasks, stopped, scale="learned"))
    assert same_run(out, stopped)


def test_a_finished_run_is_shown_again(whole, tasks, caplog):
    out, results, _ = whole
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    assert fit(config(tasks, out)) == results
    assert "trained" in "\n".join(caplog.messages)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


@pytest.mark.slow
@pytest.mark.parametrize("where", ["a thread", "64 bits"])
def test_the_same_bits_elsewhere(whole, tasks, tmp_path, where):
    """With JAX_ENABLE_X64; called from a thread, as job runners and actors do."""
    handlers = [signal.getsignal(number) for number in StopSignal.signals]
    if where == "64 bits":
        with jax.enable_x64(True):
            fit(config(tasks, tmp_path / "run"))
    else:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(fit, config(tasks, tmp_path / "run")).result()
    assert same_run(whole[0], tmp_path / "run")
    assert [signal.getsignal(number) for number in StopSignal.signals] == handlers


def test_a_field_out_of_its_range_is_told_before_data_are_read(tmp_path):
    with pytest.raises(InputError, match="--epochs 0: expected int >= 1"):
        fit(Config(data=str(tmp_path / "nowhere"), epochs=0))
    with pytest.raises(InputError, match="nowhere: no such"):  # negative control
        fit(Config(data=str(tmp_path / "nowhere")))


def test_a_users_loss_of_another_shape_leaves_nothing(tasks, tmp_path, monkeypatch):
    (tmp_path / "rows.py").write_text("def loss(q, c, *, positive, where, scale): return q[:, 0]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "rows", raising=False)
    with pytest.raises(InputError, match=r"--loss rows:loss: returns float32\[8\], not a scalar"):
        fit(config(tasks, tmp_path / "run", loss="rows:loss"))
    assert not (tmp_path / "run").exists()


def test_a_changed_model_is_made_again_of_the_checkpoint(whole, tasks, tmp_path):
    out = shutil.copytree(whole[0], tmp_path / "run")
    weights = out / "model" / "model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert fit(config(tasks, out))["metrics"] == whole[1]["metrics"]
    assert weights.read_bytes() == before and same_run(whole[0], out)
    assert changed_file(out / "model") is None
    # People edit the card, to choose a licence for one; the model is still whole.
    (out / "model/README.md").write_text("license: mit")
    assert fit(config(tasks, out)) == json.loads((out / "results.json").read_text())
    assert (out / "model/README.md").read_text() == "license: mit"
    load(out / "model")


def test_another_configuration_names_the_fields(whole, tasks):
    with pytest.raises(
        InputError, match=r"another configuration \(epochs: 4 -> 5; seed: 1234 -> 7"
    ):
        fit(config(tasks, whole[0], epochs=5, seed=7))


def compilations(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [line["compilations"] for line in map(json.loads, lines) if "loss" in line]


@pytest.mark.slow
def test_warming_up_compiles_first_and_changes_nothing(whole, tasks, tmp_path, caplog):
    fit(config(tasks, tmp_path / "warm", warm_up=True))
    counts = compilations(tmp_path / "warm")
    assert f"compiled for {counts[0]} shapes of batches" in caplog.messages
    assert counts[:3] == [counts[0]] * 3  # the first epoch's batches are 3
    assert metrics(tmp_path / "warm") == metrics(whole[0])
    assert compilations(whole[0])[0] == 1 <= compilations(whole[0])[-1] <= counts[-1]


@pytest.fixture(scope="module")
def padded(tasks, tmp_path_factory):
    """The same run with a text a row: its folder and results."""
    out = tmp_path_factory.mktemp("runs") / "padded"
    return out, fit(config(tasks, out, layout="padded"))


@pytest.mark.slow
def test_padded_rows_give_the_losses_and_metrics_of_packed_ones(whole, padded, tasks, tmp_path):
    np.testing.assert_allclose(losses(padded[0]), losses(whole[0]), rtol=0, atol=1e-5)
    assert padded[1]["metrics"] == whole[1]["metrics"]
    assert losses(padded[0]) != losses(whole[0]), "another plan rounds otherwise"


@pytest.mark.slow
@pytest.mark.parametrize("given", [{"micro_batch": 4}, {"gradient_checkpointing": True}])
def test_slices_and_recomputing_are_one_run(whole, tasks, tmp_path, given):
    """At once or in slices, recomputed or stored: the same curve."""
    fit(config(tasks, tmp_path / "run", **given))
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole[0]), rtol=1e-3)


@pytest.mark.slow
def test_another_layout_resumes_a_run(whole, tasks, tmp_path, caplog):
    out = unfinished(whole[0], tmp_path / "stopped")
    shutil.rmtree(out / "checkpoints" / "12")
    fit(config(tasks, out, layout="padded"))
    found, expected = losses(out), losses(whole[0])
    assert any("resuming after step" in line for line in caplog.messages)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert found[:3] == expected[:3] and found[-3:] != expected[-3:]


def test_a_warm_up_that_rounds_to_the_whole_training(tasks, tmp_path):
    with pytest.raises(InputError, match=r"--warmup-epochs 1\.9 are 2 steps of 1 an epoch"):
        fit(config(tasks, tmp_path / "run", batch_size=24, epochs=2, warmup_epochs=1.9))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_another_seed_is_another_run(whole, tasks, tmp_path):
    fit(config(tasks, tmp_path / "other", seed=12345))
    assert not same_run(whole[0], tmp_path / "other")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_the_same_call_resumes(
    whole, tasks, tmp_path, monkeypatch, capsys, caplog, number
):
    log = run_module.RunFolder.log

    def log_and_signal(self, line):
        log(self, line)
        if line["step"] == 4:
            signal.raise_signal(number)

    monkeypatch.setattr(run_module.RunFolder, "log", log_and_signal)
    with pytest.raises(SystemExit) as stopped:
        fit(config(tasks, tmp_path / "run"))
    assert stopped.value.code == 128 + number
    assert "the same command resumes" in capsys.readouterr().err
    monkeypatch.undo()
    assert not (tmp_path / "run" / "results.json").exists()
    fit(config(tasks, tmp_path / "run"))
    assert any("resuming after step" in line for line in caplog.messages)
    assert same_run(whole[0], tmp_path / "run")


def flip(data: Path) -> None:
    """One bit in every hundred bytes, for some of them may be unused."""
    content = bytearray(data.read_bytes())
    content[::100] = bytes(byte ^ 1 for byte in content[::100])
    data.write_bytes(content)


DAMAGE = {
    "flip": flip,
    "truncate": lambda data: data.write_bytes(data.read_bytes()[: data.stat().st_size // 2]),
    "delete": Path.unlink,
}


@pytest.mark.parametrize(
    "damage", ["flip", *(pytest.param(n, marks=pytest.mark.slow) for n in ("truncate", "delete"))]
)
def test_a_damaged_checkpoint_costs_only_steps(whole, tasks, tmp_path, caplog, damage):
    out = unfinished(whole[0], tmp_path / "run")
    # All files of arrays: some hold only what was written before they were merged.
    for path in (out / "checkpoints" / "12").rglob("d/*"):
        DAMAGE[damage](path)
    fit(config(tasks, out))
    assert any(line.startswith("checkpoint 12 is damaged") for line in caplog.messages)
    assert "resuming after step 6 of 12" in caplog.messages
    assert same_run(whole[0], out)


def test_a_loss_that_is_not_finite_stops_before_saving(tasks, tmp_path):
    with pytest.raises(FloatingPointError) as error:
        fit(config(tasks, tmp_path / "run", learning_rate=1e30, evaluate_every=4.0))
    message = str(error.value)
    assert "step 2: loss" in message or "step 3: loss" in message
    assert "last checkpoint: none" in message and message.count("sample/python/") == 8
    assert not (tmp_path / "run" / "results.json").exists()
    assert not any(p.name.isdigit() for p in (tmp_path / "run" / "checkpoints").iterdir())


def test_errors_leave_nothing_behind(tasks, tmp_path):
    for given in ({"encoder": str(tmp_path / "nowhere")}, {"batch_size": 10}, {"code_length": 999}):
        with pytest.raises(InputError):
            fit(config(tasks, tmp_path / "run", **given))
        assert not (tmp_path / "run").exists()


DEFAULTS = dataclasses.asdict(Config())


def command(tasks, out) -> list[str]:
    flags = dataclasses.asdict(config(tasks, out)).items()
    given = {name.replace("_", "-"): value for name, value in flags if value != DEFAULTS[name]}
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return [sys.executable, str(ROOT / "experiments" / "finetune.py"), *words]


def saving(out: Path) -> bool:
    folder = out / "checkpoints"
    return folder.exists() and any("tmp" in path.name for path in folder.iterdir())


def with_lines(lines: int):
    def reached(out: Path) -> bool:
        path = out / "metrics.jsonl"
        return path.exists() and path.read_bytes().count(b"\n") >= lines

    return reached


MOMENTS = {
    "before the first checkpoint": with_lines(1),
    "while saving": saving,
    "between checkpoints": with_lines(9),
    "at the end": lambda out: any(out.glob(".model.*")) or (out / "model").exists(),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again_ends_with_the_same_bits(whole, tasks, tmp_path, moment):
    out = tmp_path / "run"
    process = subprocess.Popen(command(tasks, out), env=to_be_killed(), stderr=subprocess.DEVNULL)
    while process.poll() is None and not MOMENTS[moment](out):
        time.sleep(0.002)
    assert process.poll() is None, "the run ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "results.json").exists()
    done = subprocess.run(command(tasks, out), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert same_run(whole[0], out)
