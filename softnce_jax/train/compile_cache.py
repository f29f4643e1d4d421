"""Compiled programs kept on disk: the same command starts stepping within seconds the next time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock
import jax
from jax.experimental.compilation_cache import compilation_cache

from softnce_jax.data.load import data_folder

MOST_BYTES = 4 << 30  # the least recently used go first


@contextlib.contextmanager
def cached_compilations(folder: Path | None = None) -> Iterator[None]:
    """Keeps compiled programs in a folder, unless jax has one already (JAX_COMPILATION_CACHE_DIR).

    By default in `compiled/` of the data folder; nowhere if that cannot be written.

    Each run makes its functions anew, so jax's own cache in memory does not know them again.
    """
    folder = folder or data_folder() / "compiled"
    if jax.config.jax_compilation_cache_dir is not None or not tidied(folder):
        yield
        return
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_compilation_cache_max_size": MOST_BYTES,
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


def tidied(folder: Path) -> bool:
    """Removes programs that a kill or a full disk left half written; False if it may not.

    jax writes a program and then the time of its use, and never again what is there; where the time
    is missing jax 0.10 keeps nothing any more.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / ".lockfile", timeout=10):
            for program in folder.glob("*-cache"):
                if not program.with_name(program.name.removesuffix("cache") + "atime").exists():
                    program.unlink()
    except filelock.Timeout:
        return True  # others are at work there
    except OSError:
        return False
    return True
