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
from softnce_jax.train.launch import GRACE_SECONDS, VARIABLE, free_port
from softnce_jax.train.simcse_config import SimcseConfig

from softnce_jax.commands.train_simcse import train_simcse
from softnce_jax.data.load import load_corpora
from softnce_jax.errors import InputError
from softnce_jax.train import distributed
from softnce_jax.train.config import Config
from softnce_jax.train.fit import fit
from tests.small_model import write_model
from tests.train.corpus import write_tasks
from tests.train.runs import metrics
from tests.train.sentence_models import write_bert

ROOT = Path(__file__).parents[2]
LAUNCH = [sys.executable, str(ROOT / "experiments" / "launch.py")]
FINETUNE = str(ROOT / "experiments" / "finetune.py")


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """Of a run of 12 steps, evaluated every 3."""
    folder = tmp_path_factory.mktemp("hosts")
    tasks = write_tasks(folder)
    corpus = load_corpora(str(tasks), "python")[0][0]
    texts = [text for pair in corpus.train for text in (pair.query, pair.code)]
    model = write_model(folder / "encoder", texts)
    given = {"lang": "python", "data": tasks, "encoder": model, "epochs": 4, "batch-size": 8}
    given |= {"evaluate-every": 1, "keep": 9, "learning-rate": 3e-3, "warmup-epochs": 0}
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


def environment(devices: int, host: str | None = None) -> dict[str, str]:
    flag = f"--xla_force_host_platform_device_count={devices}"
    given = {"XLA_FLAGS": flag, "JAX_PLATFORMS": "cpu"} | ({VARIABLE: host} if host else {})
    return os.environ | given


def alone(flags, out: Path, devices: int) -> Path:
    """A run of one process; this one has four devices."""
    if devices == jax.device_count():
        fit(tyro.cli(Config, args=[*flags, "--out", str(out)]), lambda _: None)
        return out
    command = [sys.executable, FINETUNE, *flags, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(devices))
    assert done.returncode == 0, done.stderr
    return out


def launched(flags, out: Path, *more: str) -> list[str]:
    """The command of a run on two hosts of two devices each."""
    sizes = ["--processes", "2", "--devices", "2"]
    return [*LAUNCH, *sizes, "--", FINETUNE, *flags, "--out", str(out), *more]


def together(flags, out: Path) -> Path:
    done = subprocess.run(launched(flags, out), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
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
def two_hosts(flags, tmp_path_factory):
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


def test_two_hosts_take_the_steps_of_four_devices(flags, two_hosts, tmp_path):
    assert len(column(two_hosts, "loss")) == 12
    assert same(two_hosts, alone(flags, tmp_path / "four", 4))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_and_those_of_fewer_devices(flags, two_hosts, tmp_path, devices):
    assert same(two_hosts, alone(flags, tmp_path / "run", devices))


@pytest.mark.slow
def test_with_data_flow_corpus_statistics_and_masks(flags, tmp_path):
    more = ["--dataflow", "extended", "--flow-length", "8", "--bm25-statistics", "corpus"]
    given = [*flags, *more, "--duplicates", "exclude"]
    assert same(together(given, tmp_path / "two"), alone(given, tmp_path / "four", 4))


@pytest.mark.slow
def test_a_frozen_teacher_is_read_by_each_host(flags, tmp_path):
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
    results = train_simcse(SimcseConfig(**given, out=str(tmp_path / "four")), lambda _: None)
    words = [
        w for name, value in given.items() for w in (f"--{name.replace('_', '-')}", str(value))
    ]
    command = launched(words, tmp_path / "two")
    command[command.index(FINETUNE)] = FINETUNE.replace("finetune", "train_simcse")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "two" / "results.json").read_text())["metrics"]
    assert found["after"] == pytest.approx(results["metrics"]["after"], abs=1e-5)
    assert found["after"] != pytest.approx(found["before"], abs=1e-3)


@pytest.mark.slow
def test_another_seed_takes_other_steps(flags, two_hosts, tmp_path):
    assert not same(two_hosts, alone([*flags, "--seed", "7"], tmp_path / "run", 4))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 4])
def test_what_two_hosts_began_one_process_ends(flags, two_hosts, tmp_path, devices):
    out = stopped_after(two_hosts, 6, tmp_path / "run")
    assert same(two_hosts, alone(flags, out, devices))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 4])
def test_what_one_process_began_two_hosts_end(flags, two_hosts, tmp_path, devices):
    whole = alone(flags, tmp_path / "whole", devices)
    out = together(flags, stopped_after(whole, 6, tmp_path / "run"))
    assert same(two_hosts, out)


@pytest.mark.slow
def test_two_hosts_go_back_from_a_damaged_checkpoint(flags, two_hosts, tmp_path):
    out = stopped_after(two_hosts, 6, tmp_path / "run")
    data = max((p for p in (out / "checkpoints/6").rglob("*") if p.is_file()), key=os.path.getsize)
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    done = subprocess.run(launched(flags, out), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("checkpoint 6 is damaged") == 1
    assert "resuming after step 3 of 12" in done.stdout
    assert same(two_hosts, out)


@pytest.mark.slow
def test_a_finished_run_is_shown_once(flags, two_hosts):
    done = subprocess.run(launched(flags, two_hosts), capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("run folder:") == 1


LONG = ("--epochs", "300", "--evaluate-every", "100")


def wait_for_steps(process: subprocess.Popen, out: Path, steps: int = 5) -> None:
    path = out / "metrics.jsonl"
    while not path.exists() or path.read_bytes().count(b"\n") < steps:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def hosts_of(launcher: subprocess.Popen) -> list[int]:
    """The process ids of the hosts, in their order."""
    return [
        int(n)
        for n in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    ]


def start(command: list[str], **given) -> subprocess.Popen:
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes, **given)


@pytest.mark.slow
@pytest.mark.parametrize("host", [0, 1])
def test_a_killed_host_ends_the_launched_others(flags, tmp_path, host):
    out = tmp_path / "run"
    process = start(launched(flags, out, *LONG))
    wait_for_steps(process, out)
    os.kill(hosts_of(process)[host], signal.SIGKILL)
    killed = time.monotonic()
    said = process.communicate()[1].splitlines()
    assert time.monotonic() - killed < GRACE_SECONDS + 5
    assert process.returncode == 128 + signal.SIGKILL
    errors = [line for line in said if "training:" not in line]
    assert errors[-1] == (
        f"error: SIGKILL ended host {host}, so all were ended; the same command resumes"
    )
    assert len(errors) < 3, errors  # beside it at most what a collective said of its end


@pytest.mark.slow
@pytest.mark.parametrize("host", [0, 1])
def test_a_killed_host_ends_the_others_without_a_launcher(flags, tmp_path, host):
    out, address = tmp_path / "run", f"127.0.0.1:{free_port()}"
    command = [sys.executable, FINETUNE, *flags, "--out", str(out), *LONG]
    processes = [start(command, env=environment(2, f"{i}/2@{address}")) for i in range(2)]
    wait_for_steps(processes[0], out)
    processes[host].kill()
    killed = time.monotonic()
    said = processes[1 - host].communicate()[1]
    processes[host].communicate()
    assert time.monotonic() - killed < distributed.LOST_SECONDS + 10
    assert processes[1 - host].returncode != 0
    assert "another host is gone" in said or "another task died" in said


@pytest.mark.slow
@pytest.mark.parametrize("told", ["the launcher", "host 0", "host 1"])
def test_a_signal_to_any_host_saves_on_all(flags, tmp_path, told):
    out = tmp_path / "run"
    process = start(launched(flags, out, *LONG))
    wait_for_steps(process, out)
    os.kill(
        process.pid if told == "the launcher" else hosts_of(process)[int(told[-1])], signal.SIGTERM
    )
    said = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM, said
    step = len(column(out, "loss"))
    assert f"SIGTERM: saved step {step}; the same command resumes" in said
    assert [int(p.name) for p in (out / "checkpoints").iterdir()] == [step]


@pytest.mark.slow
def test_stopped_and_killed_and_run_again(flags, two_hosts, tmp_path):
    """A signal, a kill, and in the end the run that nothing stopped."""
    longer = [*flags, "--epochs", "16", "--evaluate-every", "4"]
    whole, out = alone(longer, tmp_path / "whole", 4), tmp_path / "run"
    for number in (signal.SIGTERM, signal.SIGKILL):
        done = len(column(out, "loss")) if out.exists() else 0
        process = start(launched(longer, out))
        wait_for_steps(process, out, done + 10)
        os.kill(hosts_of(process)[1], number)
        process.communicate()
        assert process.returncode == 128 + number
    assert same(whole, together(longer, out))


def by_hand(flags, out: Path, *, devices=(2, 2), more=((), ()), code=(ROOT, ROOT)) -> list[str]:
    """What two processes, each with a command of its own, say as they refuse; none ends well."""
    address = f"127.0.0.1:{free_port()}"
    processes = [
        start(
            [
                sys.executable,
                str(code[i] / "experiments/finetune.py"),
                *flags,
                "--out",
                str(out),
                *more[i],
            ],
            env=environment(devices[i], f"{i}/2@{address}") | {"PYTHONPATH": str(code[i])},
        )
        for i in range(2)
    ]
    began = time.monotonic()
    said = [process.communicate()[1] for process in processes]
    assert all(process.returncode for process in processes)
    assert time.monotonic() - began < 60
    assert not out.exists()
    return said


@pytest.mark.slow
def test_other_flags_are_named(flags, tmp_path):
    said = by_hand(
        flags, tmp_path / "run", more=(["--seed", "1"], ["--seed", "2", "--epochs", "9"])
    )
    for text in said:
        assert text == (
            "error: host 1 differs from host 0 in epochs, seed: give every host the same command, "
            "data and installation\n"
        )


@pytest.mark.slow
def test_other_code_is_named(flags, tmp_path):
    other = tmp_path / "code"
    shutil.copytree(ROOT / "softnce_jax", other / "softnce_jax")
    shutil.copytree(ROOT / "experiments", other / "experiments")
    with (other / "softnce_jax/train/step.py").open("a") as file:
        file.write("\n# other\n")
    for text in by_hand(flags, tmp_path / "run", code=(ROOT, other)):
        assert "host 1 differs from host 0 in code or installed versions" in text


@pytest.mark.slow
def test_unequal_devices_are_named(flags, tmp_path):
    for text in by_hand(flags, tmp_path / "run", devices=(1, 3)):
        assert "unequal numbers of devices (host 0 has 1, host 1 has 3)" in text


@pytest.mark.slow
def test_an_error_of_one_host_ends_all(flags, tmp_path):
    said = by_hand(flags, tmp_path / "run", more=([], ["--data", str(tmp_path / "nowhere")]))
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
def test_only_a_lost_host_is_called_one(monkeypatch, capsys, said, lost):
    def end(status):
        raise SystemExit(status)

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit if lost else jax.errors.JaxRuntimeError), distributed.together():
        raise jax.errors.JaxRuntimeError(said)
    assert ("another host is gone" in capsys.readouterr().err) == lost


@pytest.mark.parametrize(
    "place", ["2/2@127.0.0.1:1234", "1@127.0.0.1:1234", "0/2@127.0.0.1", "yes"]
)
def test_a_place_that_is_none(place):
    with pytest.raises(InputError, match=rf"^{VARIABLE}={place}: give auto, or I/N@ADDRESS:PORT"):
        distributed.parse(place)


@pytest.mark.slow
def test_a_host_that_waits_says_so():
    place = f"0/2@127.0.0.1:{free_port()}"
    process = start([sys.executable, FINETUNE], env=environment(1, place))
    try:
        line = process.stderr.readline()
    finally:
        process.kill()
        process.communicate()
    assert line == (
        f"waiting for the other hosts ({VARIABLE}={place}), "
        f"at most {distributed.MEETING_SECONDS} s in all\n"
    )


def test_auto_where_there_is_no_cluster():
    command = [sys.executable, FINETUNE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(1, "auto"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {VARIABLE}=auto: coordinator_address")
