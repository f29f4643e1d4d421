"""Work in processes: results in the order of the work, a few chunks ahead of their reader."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from softnce_jax import processes
from softnce_jax.processes import imap, usable_cores


def slow_first(chunk: int) -> tuple[int, int]:
    time.sleep(0.3 if chunk == 0 else 0)
    return chunk, os.getpid()


def end(_: int) -> None:
    os._exit(9)


def test_one_process_is_this_one_and_works_on_demand():
    results = imap(slow_first, [1, 2], 1)
    assert next(results) == (1, os.getpid())


def test_results_are_in_order():
    numbers, others = zip(*imap(slow_first, list(range(6)), 2), strict=True)
    assert numbers == tuple(range(6)) and os.getpid() not in others


def test_a_process_that_ends_is_an_error():
    with pytest.raises(BrokenProcessPool):
        list(imap(end, [1], 2))


def test_only_so_many_chunks_are_begun_before_their_results_are_read():
    begun = []
    with ThreadPoolExecutor(1) as executor:
        results = processes._in_order(executor, begun.append, list(range(50)), ahead=3)
        next(results)
        time.sleep(0.2)
        assert len(begun) <= 3
        results.close()
    assert len(begun) <= 3


def test_only_the_cores_that_this_process_may_use_count(monkeypatch):
    allowed = os.sched_getaffinity(0)
    assert usable_cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    for name in ("process_cpu_count", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    for known, cores in ((128, 128), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda known=known: known)
        assert usable_cores() == cores
    monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)
    assert usable_cores() == 3


def test_nobody_counts_cores_another_way():
    package = Path(processes.__file__).parent
    for path in package.rglob("*.py"):
        counted = "cpu_count(" in path.read_text("utf-8")
        assert counted == (path.name == "processes.py"), path


# A chunk, and in the processes the import of this file, take a while.
SLOW = """
import sys, time
from pathlib import Path
from softnce_jax.processes import imap
def work(name):
    Path(name).touch()
    time.sleep(0.2)
if __name__ == "__mp_main__":
    work("importing")
if __name__ == "__main__":
    try:
        list(imap(work, ["working"] * 6, 2))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def alive(group: int) -> bool:
    """Whether a process of the group is left that has not ended."""
    listed = ["ps", "-o", "stat=", "-g", str(group)]
    states = subprocess.run(listed, capture_output=True, text=True).stdout.split()
    return any(not state.startswith("Z") for state in states)


@pytest.mark.parametrize("moment", ["importing", "working"])
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_processes_end_with_the_first_one(moment, number, tmp_path):
    """Ctrl-C reaches all of them, a kill the first alone."""
    (tmp_path / "slow.py").write_text(textwrap.dedent(SLOW))
    root = str(Path(__file__).resolve().parents[1])
    process = subprocess.Popen(
        [sys.executable, "slow.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not (tmp_path / moment).exists():
        time.sleep(0.01)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    said = process.communicate(timeout=20)[1].decode()
    if number == signal.SIGINT:
        assert (process.returncode, said) == (130, "")
    end = time.monotonic() + 5
    while alive(process.pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(process.pid)
