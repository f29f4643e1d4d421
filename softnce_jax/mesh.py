"""The mesh: devices on one axis, `data`, and arrays between the processes and their devices.

Batches are split by rows over the axis; what every device needs whole is replicated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from softnce_jax.errors import InputError, first_line

__all__ = [
    "AXIS",
    "by_rows",
    "check_batch_size",
    "devices",
    "make_mesh",
    "put_global",
    "replicated",
    "shard_rows",
    "without_x64",
]

AXIS = "data"


def devices() -> list[jax.Device]:
    """The devices of all processes, as `jax.devices()`.

    Raises:
      InputError: jax has none, usually because JAX_PLATFORMS names a platform that is not here.

    Example:
      >>> devices() == jax.devices()
      True
    """
    try:
        return jax.devices()
    except (RuntimeError, AssertionError) as error:  # the second from jax[cpu] asked for cuda
        asked = jax.config.jax_platforms
        reason = first_line(error) if str(error) else "no such platform is installed"
        raise InputError(
            f"JAX_PLATFORMS={asked}: jax finds no such device here ({reason})"
            if asked
            else f"jax finds no device ({reason})"
        ) from error


@contextlib.contextmanager
def without_x64() -> Iterator[None]:
    """Computes as without JAX_ENABLE_X64, which may be set for another program.

    Numbers without a type, such as Optax's powers of the step, would have 64 bits with it, and
    results would differ. Also a decorator.

    Example:
      >>> with without_x64():
      ...     jax.numpy.zeros(3).dtype
      dtype('float32')
    """
    with jax.enable_x64(False):
        yield


def make_mesh(devices: Sequence[jax.Device]) -> Mesh:
    """A mesh of the given devices, those of each process side by side.

    Args:
      devices: `jax.devices()` for those of all processes, `jax.local_devices()` for this process's
        own, or those of a topology that is described but not attached, to compile for.

    Returns:
      A mesh with the one axis `data`.

    Example:
      >>> dict(make_mesh(jax.devices()[:1]).shape)
      {'data': 1}
    """
    # A process's rows of a batch are consecutive, so its devices must be; ids need not be.
    ordered = sorted(devices, key=lambda device: (device.process_index, device.id))
    return Mesh(np.array(ordered), (AXIS,), axis_types=(AxisType.Auto,))


def by_rows(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch: rows split over the devices."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of the state: a copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def shard_rows(tree: Any, mesh: Mesh) -> Any:
    """Global arrays, split by rows, from each process's own rows."""
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(by_rows(mesh), x), tree)


def put_global(tree: Any, sharding: NamedSharding) -> Any:
    """Puts host-replicated arrays on a global sharding; each process copies its devices' part.

    Args:
      tree: arrays on the host, the same in every process.
      sharding: that of each of them.

    Returns:
      The same tree of global arrays.

    Example:
      >>> put_global(np.arange(3), replicated(make_mesh(jax.devices()[:1]))).tolist()
      [0, 1, 2]
    """
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    # device_put would compare the arrays of all processes over the network.
    return jax.tree.map(
        lambda x: jax.make_array_from_callback(x.shape, sharding, x.__getitem__), tree
    )


def check_batch_size(batch_size: int, mesh: Mesh, micro_batch: int | None = None) -> None:
    """Raises InputError unless devices get equal numbers of rows, of the batch and of a slice."""
    for flag, size in (("batch-size", batch_size), ("micro-batch", micro_batch or batch_size)):
        if size % mesh.size:
            raise InputError(f"--{flag} {size} is not divisible by {mesh.size} devices")
