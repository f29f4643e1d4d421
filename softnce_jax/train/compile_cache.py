"""Compiled programs cached on disk: the same command starts stepping within seconds next time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock
import jax
from jax.experimental.compilation_cache import compilation_cache

from softnce_jax.data.load import data_folder
from softnce_jax.files import lock

MAX_BYTES = 4 << 30  # the least recently used go first


@contextlib.contextmanager
def cached_compilations(folder: Path | None = None) -> Iterator[None]:
    """Caches compiled programs in a folder, unless jax has one already (JAX_COMPILATION_CACHE_DIR).

    By default in `compiled/` of the data folder; nowhere if that cannot be written.

    Each run makes its functions anew, so jax's cache in memory does not recognise them.
    """
    folder = folder or data_folder() / "compiled"
    if jax.config.jax_compilation_cache_dir is not None or not _prepare(folder):
        yield
        return
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_compilation_cache_max_size": MAX_BYTES,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    try:
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()  # jax looks for the folder once
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


@contextlib.contextmanager
def no_cached_compilations() -> Iterator[None]:
    """Compiles anew and stores nothing: programs for devices that are not here cannot be run."""
    before = jax.config.jax_enable_compilation_cache
    try:
        jax.config.update("jax_enable_compilation_cache", False)
        compilation_cache.reset_cache()
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()


def _prepare(folder: Path) -> bool:
    """Removes programs that a kill or a full disk left half-written; False if it cannot.

    jax writes a program, then the time of its use, and never replaces a program that is there.
    Where a time is missing, jax 0.10 stops caching altogether.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder / ".lockfile", timeout=10):  # the name of jax's own lock
            for program in folder.glob("*-cache"):
                if not program.with_name(program.name.removesuffix("cache") + "atime").exists():
                    program.unlink()
    except filelock.Timeout:
        return True  # another process is at work there, and has tidied up
    except OSError:
        return False
    return True
