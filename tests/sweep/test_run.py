"""Running a grid: what is missing, once; failures told; killed and resumed; nothing recompiled."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from softnce_jax.commands.mine_negatives import Flags, mine_negatives
from softnce_jax.errors import InputError
from softnce_jax.sweep import run
from softnce_jax.sweep.grid import make_grid
from softnce_jax.sweep.run import run_cells
from softnce_jax.train.fit import read_inputs
from softnce_jax.train.run_folder import RunFolder
from softnce_jax.train.signals import StopSignal
from tests.train.corpus import write_encoder, write_tasks
from tests.train.test_compile_cache import without_programs

ROOT = Path(__file__).parents[2]
MRR = {"mrr": {"value": 0.5, "low": 0.4, "high": 0.6}}
RESULTS = {"metrics": {"go": {"BM25": MRR, "trained": MRR}}}


class Fits:
    """Stands for `fit`: writes results, or fails at the names given."""

    def __init__(self, monkeypatch, **failures):
        self.failures, self.calls = failures, []
        monkeypatch.setattr(run, "fit", self)

    def __call__(self, config):
        name = Path(config.out).name
        self.calls.append(name)
        for part, error in self.failures.items():
            if part in name:
                raise error
        run_folder = RunFolder(config.out, read_inputs(config).identity)
        run_folder.start()
        run_folder.finish(RESULTS)
        return RESULTS


def grid(out, **texts):
    return make_grid(out, texts={"lang": "go,ruby", "seed": "1"} | texts)


def test_only_what_is_missing_is_run(monkeypatch, tmp_path, capsys, caplog):
    fits = Fits(monkeypatch)
    assert run_cells(grid(tmp_path, lang="go"), tmp_path) == []
    assert run_cells(grid(tmp_path), tmp_path) == []
    assert len(fits.calls) == len(set(fits.calls)) == 4
    assert caplog.messages == ["2 of 2 cells finished, 0 of them before",
                               "4 of 4 cells finished, 2 of them before"]  # fmt: skip
    captured = capsys.readouterr()
    assert "go-auto-infonce-none-1: MRR 0.500 (BM25 0.500)" in captured.out
    assert "4/4" in captured.err and "grid" in captured.err


@pytest.mark.parametrize(
    ("error", "traced"),
    [(InputError("bad data"), False), (OSError("full disk"), False), (KeyError("bug"), True)],
)
def test_a_failed_cell_does_not_stop_the_others(
    monkeypatch, tmp_path, capsys, caplog, error, traced
):
    fits = Fits(monkeypatch, **{"go-auto-soft": error})
    (failed,) = run_cells(grid(tmp_path), tmp_path)
    assert failed == "go-auto-soft_infonce-bm25-1" and len(fits.calls) == 4
    assert caplog.messages == ["3 of 4 cells finished, 0 of them before", f"failed: {failed}"]
    captured = capsys.readouterr()
    assert f"{failed}: failed: {error}" in captured.out
    assert ("Traceback" in captured.err) == traced


def test_a_signal_ends_the_grid(monkeypatch, tmp_path):
    fits = Fits(monkeypatch, **{"go-auto-soft": SystemExit(143)})
    with pytest.raises(SystemExit):
        run_cells(grid(tmp_path), tmp_path)
    assert len(fits.calls) < 4


@pytest.mark.parametrize("error", [None, OSError("the disk went away")])
def test_a_signal_in_a_cell_that_ends_all_the_same(monkeypatch, tmp_path, error):
    fits = Fits(monkeypatch)

    def signalled(config):
        with StopSignal():
            signal.raise_signal(signal.SIGTERM)
        if error is not None:
            raise error
        return fits(config)

    monkeypatch.setattr(run, "fit", signalled)
    with pytest.raises(SystemExit) as stopped:
        run_cells(grid(tmp_path), tmp_path)
    assert stopped.value.code == 128 + signal.SIGTERM and len(fits.calls) == (error is None)
    monkeypatch.setattr(run, "fit", fits)
    assert run_cells(grid(tmp_path), tmp_path) == []


def test_results_of_another_configuration_are_not_taken(monkeypatch, tmp_path):
    fits = Fits(monkeypatch)
    (cell,) = grid(tmp_path, lang="go", loss="infonce")
    run_cells([cell], tmp_path)
    path = tmp_path / cell.name / "config.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 9'))
    with pytest.raises(InputError, match=r"another configuration \(seed: 9 -> 1\)"):
        run_cells([cell], tmp_path)
    assert len(fits.calls) == 1


@pytest.mark.parametrize("changed", ["data", "encoder", "negatives", None])
def test_a_finished_cell_of_what_has_changed_is_refused(monkeypatch, tmp_path, changed):
    """Before any work: the cell that is missing is not begun."""
    fits, tasks = Fits(monkeypatch), write_tasks(tmp_path / "tasks")
    encoder, out = write_encoder(tmp_path / "enc", tasks), tmp_path / "out"
    negatives = mine_negatives(Flags("bm25", lang="python", data=str(tasks), k=1))
    settings = [f"encoder={encoder}", "batch_size=8", f"negatives={negatives}"]
    texts = {"lang": "python", "loss": "infonce", "data": str(tasks)}
    first, both = (
        make_grid(out, texts=texts | {"seed": seed}, settings=settings) for seed in ("1", "1,2")
    )
    run_cells(first, out)
    if changed == "data":
        lines = (tasks / "test.jsonl").read_text("utf-8").splitlines(keepends=True)
        (tasks / "test.jsonl").write_text("".join(lines[1:]), "utf-8")
    elif changed == "encoder":
        write_encoder(encoder, tasks, seed=1)
    elif changed == "negatives":
        with negatives.open("a") as file:
            file.write("\n")
    if changed is None:
        assert run_cells(both, out) == [] and len(fits.calls) == 2
        return
    with pytest.raises(InputError, match=f"another configuration .{changed}_hash: "):
        run_cells(both, out)
    assert len(fits.calls) == 1


def test_cells_whose_teacher_is_trained_anew_are_compared_afterwards(monkeypatch, tmp_path):
    fits, tasks = Fits(monkeypatch), write_tasks(tmp_path / "tasks")
    texts = {"lang": "python", "data": str(tasks), "encoder": "tiny", "estimator": "teacher"}
    texts |= {"loss": "infonce,soft_infonce"}
    cells = make_grid(tmp_path / "out", texts=texts | {"seed": "1"}, settings=["batch_size=8"])
    teacher = Path(cells[0].config.out)
    assert cells[1].config.teacher == str(teacher)
    fits(cells[0].config)
    (teacher / "metrics.jsonl").touch()
    write_encoder(teacher / "model", tasks)
    fits(cells[1].config)
    assert run._missing(cells) == []
    write_encoder(teacher / "model", tasks, seed=1)
    with pytest.raises(InputError, match="estimator_hash: "):
        run._missing(cells)
    (teacher / "results.json").unlink()
    assert run._missing(cells) == cells


# Runs a grid as the program does and prints, for every cell, what had to be compiled.
COUNTING = """
import sys
from pathlib import Path
import jax
from softnce_jax.sweep import run
from softnce_jax.sweep.grid import make_grid
tasks, out = sys.argv[1:]
found = []
def count(event, **_):
    found.append(event.rpartition("/")[2])
jax.monitoring.register_event_listener(count)
fit = run.fit
def counted(config):
    found.clear()
    results = fit(config)
    print("compiled", found.count("cache_misses"), "loaded", found.count("cache_hits"))
    return results
run.fit = counted
texts = dict(lang="python", loss="soft_infonce", seed="1,2", data=tasks)
settings = ("encoder=tiny", "epochs=1", "batch_size=8")
cells = make_grid(Path(out), texts=texts, settings=settings)
sys.exit(bool(run.run_cells(cells, Path(out))))
"""


@pytest.mark.slow
def test_the_second_cell_compiles_nothing(tmp_path):
    tasks = write_tasks(tmp_path / "tasks")
    command = [sys.executable, "-c", COUNTING, str(tasks), str(tmp_path / "out")]
    environment = without_programs() | {"XLA_FLAGS": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("compiled")]
    (_, first, *_), (_, second, _, loaded) = lines
    assert int(first) > 10 and int(second) == 0 and int(loaded) > 0


def command(tasks, out) -> list[str]:
    flags = ["--lang", "python", "--seed", "1,2", "--loss", "infonce", "--data", tasks]
    flags += ["--encoder", "tiny", "--set", "epochs=2", "batch_size=8", "--out", out]
    return [sys.executable, str(ROOT / "experiments" / "sweep.py"), *map(str, flags)]


@pytest.mark.slow
def test_killed_in_a_cell_and_run_again(tmp_path):
    tasks, out = write_tasks(tmp_path / "tasks"), tmp_path / "out"
    process = subprocess.Popen(
        command(tasks, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    second = out / "python-tiny-infonce-none-2-batch_size8-epochs2"
    while process.poll() is None and not (second / "metrics.jsonl").exists():
        time.sleep(0.01)
    assert process.poll() is None, "the grid ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = out / "python-tiny-infonce-none-1-batch_size8-epochs2" / "results.json"
    before = first.stat().st_mtime_ns
    done = subprocess.run(command(tasks, out), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 cells finished, 1 of them before" in done.stdout
    assert first.stat().st_mtime_ns == before and (second / "results.json").exists()
    assert "Table 1" in (out / "tables.md").read_text("utf-8")
    assert "not the paper's data" in (out / "tables.md").read_text("utf-8")


@pytest.mark.slow
def test_a_failed_cell_makes_the_program_fail(tmp_path):
    tasks, out = write_tasks(tmp_path / "tasks"), tmp_path / "out"
    flags = ["--set", "epochs=1", "batch_size=8,999"]
    done = subprocess.run([*command(tasks, out), *flags], capture_output=True, text=True)
    assert done.returncode == 1 and "2 of 4 cells finished" in done.stdout
    assert "only 24 training pairs" in done.stdout and "Traceback" not in done.stderr
