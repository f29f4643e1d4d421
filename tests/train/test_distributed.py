"""Several processes train one run: as one process does, agreeing, and ending together."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import tyro

from softnce_jax.commands.train_simcse import Flags as SimcseFlags
from softnce_jax.commands.train_simcse import train_simcse
from softnce_jax.errors import InputError
from softnce_jax.train import distributed
from softnce_jax.train.config import Config
from softnce_jax.train.fit import fit
from tests.launch import VARIABLE, environment, finish, free_port, start
from tests.train.corpus import write_encoder, write_tasks
from tests.train.runs import metrics, to_be_killed
from tests.train.sentence_models import write_bert

ROOT = Path(__file__).parents[2]
FINETUNE = ROOT / "experiments" / "finetune.py"
SIMCSE = ROOT / "experiments" / "train_simcse.py"


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """Of a run of 8 steps, evaluated every 2; the test split does not fill a batch to analyse."""
    folder = tmp_path_factory.mktemp("processes")
    tasks = write_tasks(folder)
    model = write_encoder(folder / "encoder", tasks)
    given = {"lang": "python", "data": tasks, "encoder": model, "epochs": 4, "batch-size": 12}
    given |= {"evaluate-every": 1, "keep": 9, "learning-rate": 3e-3, "warmup-epochs": 0}
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


def alone(flags, out: Path, devices: int) -> Path:
    """A run of one process; this one has four devices."""
    if devices == jax.device_count():
        fit(tyro.cli(Config, args=[*flags, "--out", str(out)]))
        return out
    command = [sys.executable, FINETUNE, *flags, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(devices))
    assert done.returncode == 0, done.stderr
    return out


def started(
    flags, out: Path, *more: str, program=FINETUNE, variables=os.environ
) -> list[subprocess.Popen]:
    """A run of two processes with two devices each."""
    command = [program, *flags, "--out", out, *more]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return start([command] * 2, devices=[2, 2], variables=variables, **pipes)


def printed(processes: list[subprocess.Popen]) -> str:
    """What processes that end well print to their standard output."""
    texts = finish(processes)
    assert all(process.returncode == 0 for process in processes), texts
    return "".join(stdout for stdout, _ in texts)


def together(flags, out: Path) -> Path:
    printed(started(flags, out))
    return out


def column(out: Path, name: str) -> np.ndarray:
    return np.array([line[name] for line in metrics(out) if name in line])


def same(a: Path, b: Path) -> bool:
    """Whether two runs took the same steps and found the same."""
    found = [json.loads((out / "results.json").read_text())["metrics"]["python"] for out in (a, b)]
    values = [[m["value"] for system in f.values() for m in system.values()] for f in found]
    pairs = [(column(a, name), column(b, name)) for name in ("loss", "valid_mrr")]
    return all(np.allclose(x, y, rtol=0, atol=1e-5) for x, y in [*pairs, tuple(values)])


@pytest.fixture(scope="module")
def two_processes(flags, tmp_path_factory):
    return together(flags, tmp_path_factory.mktemp("runs") / "two")


def stopped_after(run: Path, step: int, out: Path) -> Path:
    """A run as it was when its checkpoint of a step had been saved."""
    shutil.copytree(run, out)
    shutil.rmtree(out / "model")
    (out / "results.json").unlink()
    for checkpoint in (out / "checkpoints").iterdir():
        if checkpoint.name.isdigit() and int(checkpoint.name) > step:
            shutil.rmtree(checkpoint)
    return out


@pytest.mark.slow
def test_two_processes_take_the_steps_of_four_devices(flags, two_processes, tmp_path):
    assert len(column(two_processes, "loss")) == 8
    assert same(two_processes, alone(flags, tmp_path / "four", 4))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_and_those_of_fewer_devices(flags, two_processes, tmp_path, devices):
    assert same(two_processes, alone(flags, tmp_path / "run", devices))


@pytest.mark.slow
def test_with_data_flow_corpus_statistics_and_masks(flags, tmp_path):
    more = ["--dataflow", "extended", "--flow-length", "8", "--bm25-statistics", "corpus"]
    given = [*flags, *more, "--duplicates", "exclude", "--batch-size", "8"]
    assert same(together(given, tmp_path / "two"), alone(given, tmp_path / "four", 4))


@pytest.mark.slow
def test_a_precomputed_teacher_is_read_by_each_process(flags, tmp_path):
    """Both make its features at once, in one cache."""
    teacher = flags[flags.index("--encoder") + 1]
    given = [*flags, "--estimator", "teacher", "--teacher", teacher, "--temperature", "1"]
    features = Path(flags[flags.index("--data") + 1]) / "features"
    two = together(given, tmp_path / "two")
    entries = {entry.name for entry in features.iterdir()}
    shutil.rmtree(features)
    assert same(two, alone(given, tmp_path / "four", 4))
    assert entries == {entry.name for entry in features.iterdir()}


@pytest.mark.slow
def test_sentence_encoders(tmp_path):
    model, data = write_bert(tmp_path / "bert"), write_tasks(tmp_path / "tasks")
    given = {"model": str(model), "data": str(data), "lang": "python", "epochs": 2}
    given |= {"batch_size": 8, "query_length": 16}
    results = train_simcse(SimcseFlags(**given, out=str(tmp_path / "four")))
    words = [
        w for name, value in given.items() for w in (f"--{name.replace('_', '-')}", str(value))
    ]
    printed(started(words, tmp_path / "two", program=SIMCSE))
    found = json.loads((tmp_path / "two" / "results.json").read_text())["metrics"]
    assert found["after"] == pytest.approx(results["metrics"]["after"], abs=1e-5)
    assert found["after"] != pytest.approx(found["before"], abs=1e-3)


@pytest.mark.slow
def test_another_seed_takes_other_steps(flags, two_processes, tmp_path):
    assert not same(two_processes, alone([*flags, "--seed", "7"], tmp_path / "run", 4))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 4])
def test_what_two_processes_began_one_ends(flags, two_processes, tmp_path, devices):
    out = stopped_after(two_processes, 4, tmp_path / "run")
    assert same(two_processes, alone(flags, out, devices))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 4])
def test_what_one_process_began_two_end(flags, two_processes, tmp_path, devices):
    whole = alone(flags, tmp_path / "whole", devices)
    out = together(flags, stopped_after(whole, 4, tmp_path / "run"))
    assert same(two_processes, out)


@pytest.mark.slow
def test_two_processes_go_back_from_a_damaged_checkpoint(flags, two_processes, tmp_path):
    out = stopped_after(two_processes, 4, tmp_path / "run")
    data = max((p for p in (out / "checkpoints/4").rglob("*") if p.is_file()), key=os.path.getsize)
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    said = printed(started(flags, out))
    assert said.count("checkpoint 4 is damaged") == 1
    assert "resuming after step 2 of 8" in said
    assert same(two_processes, out)


@pytest.mark.slow
def test_a_finished_run_is_shown_once(flags, two_processes):
    assert printed(started(flags, two_processes)).count("run folder:") == 1


LONG = ("--epochs", "300", "--evaluate-every", "100")


def wait_for_steps(process: subprocess.Popen, out: Path, steps: int = 5) -> None:
    path = out / "metrics.jsonl"
    while not path.exists() or path.read_bytes().count(b"\n") < steps:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_others(flags, tmp_path, killed):
    processes = started(flags, tmp_path / "run", *LONG, variables=to_be_killed())
    wait_for_steps(processes[0], tmp_path / "run")
    processes[killed].kill()
    began = time.monotonic()
    said = finish(processes)[1 - killed][1]
    assert time.monotonic() - began < distributed.LOST_SECONDS + 10
    assert processes[1 - killed].returncode != 0
    assert "another process is gone" in said or "another task died" in said


@pytest.mark.slow
@pytest.mark.parametrize("told", [0, 1])
def test_a_signal_to_any_process_saves_on_all(flags, tmp_path, told):
    out = tmp_path / "run"
    processes = started(flags, out, *LONG)
    wait_for_steps(processes[0], out)
    processes[told].terminate()
    said = "".join(stderr for _, stderr in finish(processes))
    assert [process.returncode for process in processes] == [128 + signal.SIGTERM] * 2, said
    step = len(column(out, "loss"))
    assert said.count(f"SIGTERM: saved step {step}; the same command resumes") == 1
    assert [int(p.name) for p in (out / "checkpoints").iterdir()] == [step]


@pytest.mark.slow
def test_stopped_and_killed_and_run_again(flags, tmp_path):
    """A signal, a kill, and in the end the run that nothing stopped."""
    longer = [*flags, "--epochs", "16", "--evaluate-every", "4"]
    whole, out = alone(longer, tmp_path / "whole", 4), tmp_path / "run"
    for number in (signal.SIGTERM, signal.SIGKILL):
        done = len(column(out, "loss")) if out.exists() else 0
        processes = started(longer, out, variables=to_be_killed())
        wait_for_steps(processes[0], out, done + 10)
        processes[1].send_signal(number)
        finish(processes)
        assert all(process.returncode != 0 for process in processes)
    assert same(whole, together(longer, out))


def refused(flags, out: Path, *, devices=(2, 2), more=((), ()), code=(ROOT, ROOT)) -> list[str]:
    """What two processes, each with a command of its own, print as they refuse; none ends well."""
    commands = [
        # The package beside the program comes first, whatever is installed.
        ["-c", f"import sys; sys.path.insert(0, {str(root)!r}); from softnce_jax.cli import run; "
               "run('finetune', sys.argv[1:])", *flags, "--out", out, *words]
        for root, words in zip(code, more, strict=True)
    ]  # fmt: skip
    processes = start(commands, devices, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    began = time.monotonic()
    said = [stderr for _, stderr in finish(processes)]
    assert all(process.returncode for process in processes)
    assert time.monotonic() - began < 60
    assert not out.exists()
    return said


@pytest.mark.slow
def test_other_flags_are_named(flags, tmp_path):
    said = refused(
        flags, tmp_path / "run", more=(["--seed", "1"], ["--seed", "2", "--epochs", "9"])
    )
    for text in said:
        assert text == (
            "error: process 1 differs from process 0 in epochs, seed: give every process the same "
            "command, data and installation\n"
        )


@pytest.mark.slow
def test_other_code_is_named(flags, tmp_path):
    other = tmp_path / "code"
    shutil.copytree(ROOT / "softnce_jax", other / "softnce_jax")
    with (other / "softnce_jax/train/step.py").open("a") as file:
        file.write("\n# other\n")
    for text in refused(flags, tmp_path / "run", code=(ROOT, other)):
        assert "process 1 differs from process 0 in code or installed versions" in text


@pytest.mark.slow
def test_unequal_devices_are_named(flags, tmp_path):
    for text in refused(flags, tmp_path / "run", devices=(1, 3)):
        assert "unequal numbers of devices (process 0 has 1, process 1 has 3)" in text


@pytest.mark.slow
def test_an_error_of_one_process_ends_all(flags, tmp_path):
    said = refused(flags, tmp_path / "run", more=([], ["--data", str(tmp_path / "nowhere")]))
    assert said[1].startswith("error: ") and "nowhere" in said[1].splitlines()[0]


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("UNAVAILABLE: connection to peer lost", True),
        ("UNKNOWN: Gloo AllReduce failed: Connection closed by [127.0.0.1]", True),
        ("INTERNAL: cuBLAS error", False),
        ("RESOURCE_EXHAUSTED: out of memory", False),
    ],
)
def test_only_a_lost_process_is_called_one(monkeypatch, capsys, said, lost):
    def end(status):
        raise SystemExit(status)

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit if lost else jax.errors.JaxRuntimeError), distributed.processes():
        raise jax.errors.JaxRuntimeError(said)
    assert ("another process is gone" in capsys.readouterr().err) == lost


@pytest.mark.parametrize(
    "address", ["2/2@127.0.0.1:1234", "1@127.0.0.1:1234", "0/2@127.0.0.1", "yes"]
)
def test_what_is_no_address(address):
    with pytest.raises(InputError, match=rf"^{VARIABLE}={address}: give auto, or I/N@ADDRESS:PORT"):
        distributed.parse_address(address)


@pytest.mark.slow
def test_a_process_that_waits_says_so():
    address = f"0/2@127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [sys.executable, FINETUNE],
        env=environment(1, address),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stderr.readline()
    finally:
        process.kill()
        process.communicate()
    assert line == (
        f"waiting for the other processes ({VARIABLE}={address}), "
        f"at most {distributed.CONNECT_SECONDS} s in all\n"
    )


def test_auto_where_there_is_no_cluster():
    command = [sys.executable, FINETUNE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(1, "auto"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {VARIABLE}=auto: coordinator_address")


@pytest.mark.slow
def test_process_0_listens_at_the_address_given_alone():
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, FINETUNE],
        env=environment(1, f"0/2@127.0.0.1:{port}"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        listening: set[str] = set()
        until = time.monotonic() + 60
        while not listening and time.monotonic() < until:
            time.sleep(0.1)
            for table in ("tcp", "tcp6"):
                rows = Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]
                ends = {row.split()[1] for row in rows if row.split()[3] == "0A"}
                listening |= {end for end in ends if int(end.rpartition(":")[2], 16) == port}
    finally:
        process.kill()
        process.wait()
    # 127.0.0.1, as IPv6 writes it.
    assert {end.rpartition(":")[0][-16:] for end in listening} == {"FFFF00000100007F"}


def test_the_coordinator_is_bound_to_the_address():
    given = distributed.parse_address("0/2@10.0.0.1:1234")
    assert given["coordinator_bind_address"] == given["coordinator_address"] == "10.0.0.1:1234"
