"""Several processes that train as one, usually one a host: they connect, agree, wait and end.

In a run of one process nothing here does anything. Several connect where the environment variable
SOFTNCE_HOSTS says so: `auto` on TPU pods, under SLURM and Open MPI, which know the rest; elsewhere
`I/N@ADDRESS:PORT`: this is process I of N, and process 0 listens there.
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
CONNECT_SECONDS = 300  # that processes wait for one that has not come
SLOW_SECONDS = 10  # after which they tell the user
LOST_SECONDS = 30  # without a heartbeat, after which a process counts as dead and all others end
SHUTDOWN_SECONDS = 15  # that a process which ends waits for the others, before it ends them
# What jax's errors mention where a connection to another process broke.
LOST = re.compile("gloo|nccl|connection|socket|coordination|heartbeat|UNAVAILABLE|ABORTED", re.I)
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


@contextlib.contextmanager
def processes() -> Iterator[None]:
    """Connects the processes for the duration of a program that trains.

    Enter it before the program's imports: other packages may use a device when they are imported,
    and jax connects no processes after that.

    Where another process is gone, this one ends with one line and status 1: a collective that
    broke leaves nothing to go on with.

    Raises:
      InputError: SOFTNCE_HOSTS cannot be used, or processes have unequal numbers of devices.
    """
    _connect(os.environ.get(VARIABLE))
    try:
        yield
        barrier("the end")
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1 or not LOST.search(str(error)):
            raise
        reason = first_line(error)
        print(
            f"error: process {jax.process_index()}: another process is gone ({reason}); "
            "the same command resumes",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)


def _connect(address: str | None) -> None:
    """Connects to the other processes, once; must come before any use of a device."""
    if address is None or jax.distributed.is_initialized():
        return
    # train/signals.py handles SIGTERM.
    jax.config.update("jax_enable_preemption_service", False)
    given = {} if address == "auto" else parse_address(address)
    timeouts = {
        "initialization_timeout": CONNECT_SECONDS,
        "heartbeat_timeout_seconds": LOST_SECONDS,
        "shutdown_timeout_seconds": SHUTDOWN_SECONDS,
    }
    try:
        with _told_if_slow(f"waiting for the other processes ({VARIABLE}={address})"):
            jax.distributed.initialize(**given, **timeouts)
    except (ValueError, RuntimeError) as error:
        hint = "" if given else "; elsewhere than on TPU pods, SLURM, Open MPI: I/N@ADDRESS:PORT"
        raise InputError(f"{VARIABLE}={address}: {first_line(error)}{hint}") from error
    if not is_first():
        logging.getLogger("softnce_jax").setLevel(logging.WARNING)
    counts = Counter(device.process_index for device in jax.devices())
    if len({*counts.values()}) > 1:
        listed = ", ".join(f"process {index} has {n}" for index, n in sorted(counts.items()))
        raise InputError(f"unequal numbers of devices ({listed}): give every process as many")


@contextlib.contextmanager
def _told_if_slow(what: str) -> Iterator[None]:
    """Prints a line if this takes long: in the end jax ends the process with a trace."""
    line = f"{what}, at most {CONNECT_SECONDS} s in all"
    timer = threading.Timer(SLOW_SECONDS, print, [line], {"file": sys.stderr, "flush": True})
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def parse_address(address: str) -> dict[str, Any]:
    """The arguments of jax.distributed.initialize that `I/N@ADDRESS:PORT` means.

    Example:
      >>> parse_address("1/2@10.0.0.1:1234")["process_id"]
      1
    """
    match = re.fullmatch(r"(\d+)/(\d+)@(\S+:\d+)", address)
    if match is None or int(match[1]) >= int(match[2]):
        raise InputError(
            f"{VARIABLE}={address}: give auto, or I/N@ADDRESS:PORT with I from 0 to N - 1, as "
            "0/2@10.0.0.1:1234"
        )
    return {
        "process_id": int(match[1]),
        "num_processes": int(match[2]),
        "coordinator_address": match[3],
        "coordinator_bind_address": match[3],  # else jax listens on all of the host's addresses
        "cluster_detection_method": "deactivate",
    }


def is_first() -> bool:
    """Whether this is process 0, which writes and logs."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Returns once every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def any_process(here: bool) -> bool:
    """Whether something holds on one process at least; the same answer on all."""
    return here if jax.process_count() == 1 else bool(all_gather(np.array(here)).any())


def agree(make: Callable[[], Mapping[str, Any]]) -> None:
    """Raises InputError, on every process, unless all have the same code and the same values.

    Args:
      make: makes what must be the same, by name, as values that JSON can write; called only where
        there are several processes.

    Example:
      >>> agree(lambda: {"seed": 1})
    """
    if jax.process_count() == 1:
        return
    values = make()
    names = sorted(values)
    # The names first: all processes must gather arrays of one shape.
    code_P8 = all_gather(_digest([_code_hash(), names]))
    _check_equal(code_P8[:, None], ["code or installed versions"])
    _check_equal(all_gather(np.stack([_digest(values[name]) for name in names])), names)


def _check_equal(digest_PN8: np.ndarray, names: list[str]) -> None:
    differs_PN = (digest_PN8 != digest_PN8[:1]).any(axis=-1)
    for process, differs_N in enumerate(differs_PN):
        if differs_N.any():
            differing = [name for name, differs in zip(names, differs_N, strict=True) if differs]
            raise InputError(
                f"process {process} differs from process 0 in {', '.join(differing)}: give every "
                "process the same command, data and installation"
            )


def all_gather(x: np.ndarray) -> np.ndarray:
    """The arrays of all processes, which are of one shape, stacked in the processes' order."""
    return np.asarray(multihost_utils.process_allgather(x)).reshape(-1, *x.shape)


def _digest(value: Any) -> np.ndarray:
    """Eight numbers that differ where values do.

    Example:
      >>> _digest({"a": 1}).shape, bool((_digest({"a": 1}) == _digest({"a": 2})).any())
      ((8,), False)
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32)


def _code_hash() -> str:
    """A hash of this package's source and of the versions it runs on."""
    root = Path(__file__).parents[1]
    whole = hashlib.sha256(json.dumps([metadata.version(name) for name in PACKAGES]).encode())
    for path in sorted(root.rglob("*.py")):
        whole.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return whole.hexdigest()


class AgreedStop:
    """A signal that any process received, known to all of them after the same step.

    The processes exchange one number a step. The answer is read when the next step is under way, so
    that none waits for it: a signal stops several processes one step later than it stops one.

    Example:
      >>> from softnce_jax.mesh import make_mesh
      >>> stop = AgreedStop(make_mesh(jax.devices()))
      >>> stop(None), stop(15)
      (None, 15)
    """

    def __init__(self, mesh: Mesh):
        self._rows = by_rows(mesh)
        self._largest = jax.jit(jnp.max, out_shardings=replicated(mesh))
        self._asked: jax.Array | None = None

    def __call__(self, received: int | None) -> int | None:
        """Takes the signal that this process received, if any; returns the one that stops all."""
        if jax.process_count() == 1:
            return received
        last = self._asked
        here = np.full(jax.local_device_count(), received or 0, np.int32)
        self._asked = self._largest(jax.make_array_from_process_local_data(self._rows, here))
        return None if last is None else int(last) or None
