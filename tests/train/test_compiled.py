"""The second process of a command loads what the first one compiled."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import jax
from softnce_jax.train.compile_cache import cached_compilations
found = []
jax.monitoring.register_event_listener(lambda event, **_: found.append(event.rpartition("/")[2]))
with cached_compilations():
    jax.jit(lambda x: x * 41.5 + 1)(2.0)
print(found.count("cache_misses") > 0, found.count("cache_hits") > 0)
"""


@pytest.mark.parametrize("variable", ["SOFTNCE_DATA", "JAX_COMPILATION_CACHE_DIR"])
def test_the_second_process_compiles_nothing(tmp_path, variable):
    places = {"SOFTNCE_DATA": str(tmp_path / "data")} | {variable: str(tmp_path / "given")}
    environment = os.environ | places | {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    for expected in ("True False", "False True"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
        )
        assert done.stdout.strip() == expected, done.stderr
    # Where the user, or jax, has a folder already, that one is used.
    assert any((tmp_path / "given").iterdir())
    assert not (tmp_path / "data").exists() or variable == "SOFTNCE_DATA"


def test_programs_that_were_half_written_are_removed(tmp_path):
    """As a kill leaves them: jax 0.10 would keep nothing more, and none would write that one."""
    folder = tmp_path / "compiled"
    environment = os.environ | {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment |= {"SOFTNCE_DATA": str(tmp_path)}
    program = [sys.executable, "-c", PROGRAM]
    for number, expected in enumerate(("True False", "True False", "False True")):
        done = subprocess.run(program, env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == expected and not done.stderr, done.stderr
        assert not (folder / "torn-cache").exists()
        if number == 0:
            (folder / "torn-cache").write_bytes(b"half")
            for time in folder.glob("*-atime"):
                time.unlink()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    environment = os.environ | {"SOFTNCE_DATA": str(tmp_path / "file" / "data")}
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "False False" and not done.stderr, done.stderr
