"""Several processes that train as one: how they meet, agree, wait for each other and part.

A run of one process needs none of it, and nothing here then does anything. Several meet where the
environment variable SOFTNCE_HOSTS says so: `auto` on TPU pods, under SLURM and Open MPI, which
know the rest; elsewhere `I/N@ADDRESS:PORT`: this is process I of N, and process 0 listens there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from softnce_jax.errors import InputError, first_line
from softnce_jax.mesh import by_rows, replicated

VARIABLE = "SOFTNCE_HOSTS"
MEETING_SECONDS = 300  # that hosts wait for one that has not come
SLOW_SECONDS = 10  # after which they say so
LOST_SECONDS = 30  # without a sign of life, after which a host counts as dead and all others end
LEAVING_SECONDS = 15  # that a host which ends waits for the others, before it ends them
# What jax says where a connection to another host broke.
LOST = re.compile("gloo|nccl|connection|socket|coordination|heartbeat|UNAVAILABLE|ABORTED", re.I)
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


@contextlib.contextmanager
def processes() -> Iterator[None]:
    """Around a program that trains, from before its imports on: the hosts meet and part.

    bm25s, for one, uses a device when it is imported, and then no hosts can meet any more.

    Where another host is gone, the process ends with one line and status 1: a collective that
    broke leaves nothing to go on with.

    Raises:
      InputError: SOFTNCE_HOSTS cannot be used, or the hosts have unequal numbers of devices.
    """
    join(os.environ.get(VARIABLE))
    try:
        yield
        wait("the end")
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1 or not LOST.search(str(error)):
            raise
        reason = first_line(error)
        print(
            f"error: host {jax.process_index()}: another host is gone ({reason}); "
            "the same command resumes",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)


def join(place: str | None) -> None:
    """Meets the other hosts, once in a process; must come before any use of a device."""
    if place is None or jax.distributed.is_initialized():
        return
    # SIGTERM is train/signals.py's.
    jax.config.update("jax_enable_preemption_service", False)
    given = {} if place == "auto" else parse(place)
    timeouts = {
        "initialization_timeout": MEETING_SECONDS,
        "heartbeat_timeout_seconds": LOST_SECONDS,
        "shutdown_timeout_seconds": LEAVING_SECONDS,
    }
    try:
        with told_if_slow(f"waiting for the other hosts ({VARIABLE}={place})"):
            jax.distributed.initialize(**given, **timeouts)
    except (ValueError, RuntimeError) as error:
        hint = "" if given else "; elsewhere than on TPU pods, SLURM, Open MPI: I/N@ADDRESS:PORT"
        raise InputError(f"{VARIABLE}={place}: {first_line(error)}{hint}") from error
    if not is_first():
        logging.getLogger("softnce_jax").setLevel(logging.WARNING)
    counts = Counter(device.process_index for device in jax.devices())
    if len({*counts.values()}) > 1:
        listed = ", ".join(f"host {host} has {n}" for host, n in sorted(counts.items()))
        raise InputError(f"the hosts have unequal numbers of devices ({listed}): give each as many")


@contextlib.contextmanager
def told_if_slow(what: str) -> Iterator[None]:
    """Prints a line if this takes long: jax ends the process in the end, and not in these words."""
    line = f"{what}, at most {MEETING_SECONDS} s in all"
    timer = threading.Timer(SLOW_SECONDS, print, [line], {"file": sys.stderr, "flush": True})
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def parse(place: str) -> dict[str, Any]:
    """The arguments of jax.distributed.initialize that `I/N@ADDRESS:PORT` stands for.

    Example:
      >>> parse("1/2@10.0.0.1:1234")["process_id"]
      1
    """
    found = re.fullmatch(r"(\d+)/(\d+)@(\S+:\d+)", place)
    if found is None or int(found[1]) >= int(found[2]):
        raise InputError(
            f"{VARIABLE}={place}: give auto, or I/N@ADDRESS:PORT with I from 0 to N - 1, as "
            "0/2@10.0.0.1:1234"
        )
    return {
        "process_id": int(found[1]),
        "num_processes": int(found[2]),
        "coordinator_address": found[3],
        "cluster_detection_method": "deactivate",
    }


def is_first() -> bool:
    """Whether this host is the one that writes files and speaks."""
    return jax.process_index() == 0


def wait(name: str) -> None:
    """Returns once every host has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def on_any(here: bool) -> bool:
    """Whether something holds on one host at least; the same answer on all."""
    return here if jax.process_count() == 1 else bool(gathered(np.array(here)).any())


def agree(make: Callable[[], Mapping[str, Any]]) -> None:
    """Raises InputError, on every host, unless all have the same code and the same values.

    Args:
      make: what must be the same, by name, as values that JSON can write; called where there are
        several hosts.

    Example:
      >>> agree(lambda: {"seed": 1})
    """
    if jax.process_count() == 1:
        return
    about = make()
    code_P8 = gathered(digest([code_hash(), sorted(about)]))
    _check_alike(code_P8[:, None], ["code or installed versions"])
    names = sorted(about)
    _check_alike(gathered(np.stack([digest(about[name]) for name in names])), names)


def _check_alike(digest_PN8: np.ndarray, names: list[str]) -> None:
    other_PN = (digest_PN8 != digest_PN8[:1]).any(axis=-1)
    for host, other_N in enumerate(other_PN):
        if other_N.any():
            differing = [name for name, other in zip(names, other_N, strict=True) if other]
            raise InputError(
                f"host {host} differs from host 0 in {', '.join(differing)}: give every host the "
                "same command, data and installation"
            )


def gathered(x: np.ndarray) -> np.ndarray:
    """The arrays of all hosts, which are of one shape, stacked in the hosts' order."""
    return np.asarray(multihost_utils.process_allgather(x)).reshape(-1, *x.shape)


def digest(value: Any) -> np.ndarray:
    """Eight numbers that differ where values do.

    Example:
      >>> digest({"a": 1}).shape, bool((digest({"a": 1}) == digest({"a": 2})).any())
      ((8,), False)
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32)


def code_hash() -> str:
    """A hash of this package's source and of the versions it runs on."""
    root = Path(__file__).parents[1]
    whole = hashlib.sha256(json.dumps([metadata.version(name) for name in PACKAGES]).encode())
    for path in sorted(root.rglob("*.py")):
        whole.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return whole.hexdigest()


class AgreedStop:
    """A signal that any host received, known to all of them after the same step.

    The hosts exchange one number a step. The answer is read when the next step is under way, so
    that nobody waits for it: a signal stops several hosts one step later than it stops one.

    Example:
      >>> stop = AgreedStop(make_mesh(jax.devices()))
      >>> stop(None), stop(15)
      (None, 15)
    """

    def __init__(self, mesh: Mesh):
        self._rows = by_rows(mesh)
        self._largest = jax.jit(jnp.max, out_shardings=replicated(mesh))
        self._asked: jax.Array | None = None

    def __call__(self, received: int | None) -> int | None:
        """Takes what this host received by this step; returns what all stop for, if anything."""
        if jax.process_count() == 1:
            return received
        before = self._asked
        own = np.full(jax.local_device_count(), received or 0, np.int32)
        self._asked = self._largest(jax.make_array_from_process_local_data(self._rows, own))
        return None if before is None else int(before) or None
