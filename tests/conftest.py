"""Test configuration: four virtual CPU devices, no silent rank promotion, shapes enforced."""

import atexit
import gc
import logging
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

import pytest

# The tests mostly compile. XLA's older emitters, which jaxlib 0.12 has no more, take a third of the
# time; a flag that jaxlib does not know would end the process.
FAST_EMITTERS = " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
OLD_JAXLIB = tuple(map(int, metadata.version("jaxlib").split(".")[:2])) < (0, 11)
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4" + FAST_EMITTERS * OLD_JAXLIB
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"  # nobody reads where an operation comes from
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# A program that one test compiled is loaded by the others, by the other worker, by programs that
# tests start, and by the next run: jax names it by what it computes and by its own version.
PROGRAMS = Path(__file__).resolve().parents[1] / ".pytest_cache" / "programs"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(PROGRAMS))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

os.environ["SOFTNCE_DATA"] = tempfile.mkdtemp(prefix="softnce_jax-tests-")
atexit.register(shutil.rmtree, os.environ["SOFTNCE_DATA"], ignore_errors=True)


# Nobody needs what importing throws away: no collection of garbage until the tests run.
gc.disable()


def pytest_configure(config):
    """Not in the process that hands out tests to workers: they would wait for its imports."""
    if hasattr(config, "workerinput") or config.option.dist == "no":
        import jax

        from tests import shapes

        logging.getLogger("softnce_jax").setLevel(logging.INFO)  # what programs show, for caplog
        jax.config.update("jax_numpy_rank_promotion", "raise")
        shapes.enforce()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """What was imported stays, millions of objects: no collection visits them again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 100)
    gc.enable()
