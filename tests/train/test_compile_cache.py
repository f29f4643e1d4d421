"""What one process compiled the next one loads; what a kill left is removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from softnce_jax.train.compile_cache import cached_compilations

MISS, HIT, NEITHER = (True, False), (False, True), (False, False)


def without_programs() -> dict[str, str]:
    """The environment without the cache of compiled programs that all tests share."""
    of_the_tests = ("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE")
    return {k: v for k, v in os.environ.items() if not k.startswith(of_the_tests)}


def outcome() -> tuple[bool, bool]:
    """Whether compiling a program misses and hits the cache."""
    events = []
    listen = lambda event, **_: events.append(event.rpartition("/")[2])
    jax.monitoring.register_event_listener(listen)
    try:
        with cached_compilations():
            jax.jit(lambda x: x * 41.5 + 1)(2.0)
    finally:
        jax.monitoring.unregister_event_listener(listen)
    return "cache_misses" in events, "cache_hits" in events


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Iterator[Path]:
    """The data folder of a process in which jax has no cache yet."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in zip(names, (None, 0.0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    monkeypatch.setenv("SOFTNCE_DATA", str(tmp_path / "data"))
    yield tmp_path / "data"
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.mark.slow
def test_the_second_process_compiles_nothing(tmp_path):
    environment = without_programs() | {"SOFTNCE_DATA": str(tmp_path)}
    program = "from tests.train.test_compile_cache import outcome; print(outcome())"
    for expected in (MISS, HIT):
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        )
        assert done.stdout.strip() == str(expected) and not done.stderr, done.stderr


def test_a_folder_that_jax_has_already_is_used(folder, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "given"))
    compilation_cache.reset_cache()
    assert [outcome(), outcome()] == [MISS, HIT]
    assert any((tmp_path / "given").iterdir()) and not folder.exists()


def test_programs_that_were_half_written_are_removed(folder):
    """As a kill leaves them: jax 0.10 would cache nothing more, and none would write that one."""
    assert outcome() == MISS
    (folder / "compiled" / "torn-cache").write_bytes(b"half")
    for time in (folder / "compiled").glob("*-atime"):
        time.unlink()
    assert [outcome(), outcome()] == [MISS, HIT]
    assert not (folder / "compiled" / "torn-cache").exists()


def test_a_folder_that_cannot_be_written_is_no_error(folder):
    folder.write_text("a file")
    assert outcome() == NEITHER


def test_settings_of_the_process_come_back(folder, tmp_path):
    before = jax.config.jax_compilation_cache_dir
    assert before is None
    with cached_compilations(tmp_path / "own"):
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
        jax.jit(lambda x: x * 41.5)(1.0)
    assert jax.config.jax_compilation_cache_dir == before
    assert any((tmp_path / "own").iterdir()) and not folder.exists()
