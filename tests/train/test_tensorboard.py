"""TensorBoard's events of a run: those of metrics.jsonl, once, whatever was killed and resumed."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from softnce_jax import cli
from softnce_jax.train.config import Config, differences
from softnce_jax.train.fit import fit
from softnce_jax.train.run_folder import RunFolder, read_metrics
from tests.train.corpus import write_encoder, write_tasks

LINES = [
    {"step": 1, "loss": 2.5, "p_mean": float("nan"), "clipped": 1},
    {"step": 2, "loss": 2.0, "p_mean": 0.25, "clipped": 0},
    {"step": 2, "valid_mrr": 0.5},
]


def events(folder: Path) -> list[tuple[int, str, float]]:
    """(step, name, value) of all events below a folder, in their order."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted((folder / "tensorboard").glob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):  # its length, a checksum of that, the record, its checksum
            (size,) = struct.unpack_from("<Q", content, at)
            event = event_pb2.Event.FromString(content[at + 12 : at + 12 + size])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            at += 16 + size
    return found


def expected(lines: list[dict]) -> list[tuple[int, str, float]]:
    """What `events` should find of these lines of metrics.jsonl."""
    return [
        (line["step"], name, pytest.approx(value))
        for line in lines
        for name, value in line.items()
        if name != "step" and value is not None and value == value
    ]


@pytest.fixture
def run(tmp_path):
    pytest.importorskip("tensorboardX")
    run = RunFolder(tmp_path / "run", {"seed": 1})
    run.start()
    return run


def test_events_are_the_lines_of_the_metrics(run):
    with run.events("tensorboard"):
        for line in LINES:
            run.log(line)
    assert events(run.folder) == expected(LINES) and len(expected(LINES)) == 6
    run.log({"step": 3, "loss": 1.0})  # outside of the block
    assert len(events(run.folder)) == 6 and len(read_metrics(run.folder)) == 4


def test_resuming_leaves_no_step_twice_and_none_after_the_checkpoint(run):
    with run.events("tensorboard"):
        for line in [*LINES, {"step": 3, "loss": 9.0}]:
            run.log(line)
    (torn,) = (run.folder / "tensorboard").iterdir()
    content = torn.read_bytes()[:-7]  # as a kill leaves it, of another second
    torn.unlink()
    torn.with_name("events.out.tfevents.1700000000.host").write_bytes(content)
    run.cut_metrics(2)
    with run.events("tensorboard"):
        run.log({"step": 3, "loss": 1.0})
    assert events(run.folder) == expected([*LINES, {"step": 3, "loss": 1.0}])
    assert len(list((run.folder / "tensorboard").iterdir())) == 1


def test_without_the_flag_there_are_no_events(tmp_path):
    run = RunFolder(tmp_path / "run", {"seed": 1})
    run.start()
    with run.events(None):
        run.log(LINES[0])
    assert not (run.folder / "tensorboard").exists()


def test_only_the_first_process_writes(run, monkeypatch):
    monkeypatch.setattr("softnce_jax.train.distributed.is_first", lambda: False)
    with run.events("tensorboard"):
        run.log(LINES[0])
    assert not (run.folder / "tensorboard").exists()


def test_it_is_no_part_of_what_a_run_is():
    assert differences({"seed": 1}, {"seed": 1, "log": "tensorboard"}) == []
    assert differences({"seed": 1}, {"seed": 2, "log": "tensorboard"}) != []


@pytest.mark.parametrize("command", ["finetune", "train-simcse", "sweep"])
def test_a_missing_package_is_told_before_any_work(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)  # as if it were not installed
    monkeypatch.chdir(tmp_path)
    flags = ["--set", "log=tensorboard"] if command == "sweep" else ["--log", "tensorboard"]
    with pytest.raises(SystemExit) as exit:
        cli.run(command, ["--data", "nowhere", *flags])
    line = 'tensorboardX is not installed: pip install "softnce_jax[tensorboard]"'
    assert exit.value.code == 1
    assert capsys.readouterr().err == f"error: softnce {command}: {line}\n"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit):  # negative control: without the flag the data are what is wrong
        cli.run(command, ["--data", "nowhere"])
    assert "nowhere" in "".join(capsys.readouterr())


@pytest.mark.slow
def test_a_run_writes_them(tmp_path):
    pytest.importorskip("tensorboardX")
    tasks = write_tasks(tmp_path / "tasks")
    encoder = write_encoder(tmp_path / "encoder", tasks)
    given = {"encoder": str(encoder), "epochs": 2, "batch_size": 8, "log": "tensorboard"}
    fit(Config(lang="python", data=str(tasks), out=str(tmp_path / "run"), **given))
    lines = read_metrics(tmp_path / "run")
    assert events(tmp_path / "run") == expected(lines)
    assert {"loss", "valid_mrr", "clipped"} <= {name for _, name, _ in expected(lines)}
