"""The programs as a user meets them: help, one line for bad input, an exit status."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_lines import lines
from tests.data.folders import write_folder
from tests.train.corpus import write_encoder, write_tasks

ROOT = Path(__file__).resolve().parents[1]
GOOD = {"url": "u", "docstring": "query", "code": "code"}


def program(name: str, *flags: str, cwd: Path, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "experiments" / f"{name}.py"), *map(str, flags)]
    environment = os.environ | {"XLA_FLAGS": ""}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, **options
    )


def test_help_of_mining_hard_negatives(tmp_path):
    done = program("mine_negatives", "--help", cwd=tmp_path)
    for flag in ("--model", "--k", "--ranks", "--absolute-margin", "--relative-margin", "--out"):
        assert flag in done.stdout


@pytest.mark.parametrize("name", ["finetune", "evaluate", "train_simcse"])
def test_help_explains_every_flag_in_a_line(name, tmp_path):
    done = program(name, "--help", cwd=tmp_path)
    assert done.returncode == 0
    for flag in ("--lang", "--data", "--strict", "--out", "--seed"):
        assert flag in done.stdout


@pytest.mark.parametrize("name", ["sweep", "negatives", "tables", "figures", "mine"])
def test_help_of_the_programs_of_grids(name, tmp_path):
    done = program(name, "--help", cwd=tmp_path)
    assert done.returncode == 0 and "--out" in done.stdout


BAD = {
    "unknown language": (["--lang", "cobol"], "unknown language 'cobol'"),
    "no such data": (["--data", "nowhere"], "nowhere: no such folder"),
    "no such encoder": (["--encoder", "nowhere/at-all", "--data", "sample"], "--download"),
    "malformed row, strict": (["--lang", "go", "--data", "broken", "--strict"], "train.jsonl:2"),
    "an empty split": (["--lang", "go", "--data", "broken"], "no go pairs in the valid split"),
    "batch too large": (["--data", "sample", "--batch-size", "999"], "only 128 training pairs"),
    "no such negatives": (["--data", "sample", "--negatives", "x.jsonl"], "no such JSON lines"),
    "a flag's value": (["--loss", "hinge"], "hinge"),
}


@pytest.mark.slow
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path):
    folder = write_folder(tmp_path / "broken", train=[GOOD, GOOD], codebase=[GOOD])
    (folder / "train.jsonl").write_text('{"url": "u", "docstring": "q", "code": "c"}\n{"url\n')
    shown = lines(*[["finetune", *flags] for flags, _ in BAD.values()], cwd=tmp_path)
    for (case, (_, message)), (status, _, err) in zip(BAD.items(), shown, strict=True):
        assert status != 0, case
        assert message in err and "Traceback" not in err, case
        if case != "a flag's value":  # tyro draws a box
            assert err.startswith("error: ") and err.count("\n") == 1, case
    assert not (tmp_path / "runs").exists()


def no_large_files() -> None:
    """Makes large writes fail, in the child process only, as a quota does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.slow
def test_a_failed_save_is_told_and_can_be_resumed(tmp_path):
    tasks = write_tasks(tmp_path / "tasks")
    write_encoder(tmp_path / "encoder", tasks)
    flags = ["--lang", "python", "--data", tasks, "--encoder", "encoder", "--batch-size", "8"]
    flags += ["--epochs", "1", "--out", "run"]
    done = program("finetune", *flags, cwd=tmp_path, preexec_fn=no_large_files)
    assert done.returncode == 1
    assert "error: could not save" in done.stderr  # Orbax's threads write between the lines
    assert not (tmp_path / "run" / "results.json").exists()
    done = program("finetune", *flags, cwd=tmp_path)
    assert done.returncode == 0 and "trained" in done.stdout
