"""The mesh: devices on one axis, `data`, and arrays between the hosts and their devices.

Batches are split by rows over the axis; what every device needs whole is replicated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from softnce_jax.errors import InputError

AXIS = "data"


def make_mesh(devices: Sequence[jax.Device]) -> Mesh:
    """A mesh of the devices given, host by host.

    Args:
      devices: `jax.devices()` for all of all hosts, `jax.local_devices()` for this host's own, or
        those of a topology that is described and not here, to compile for.

    Returns:
      A mesh with the one axis `data`.

    Example:
      >>> make_mesh(jax.devices()[:1]).shape
      OrderedDict({'data': 1})
    """
    # Each host's rows of a batch must lie together on the axis, whatever the order of the ids.
    ordered = sorted(devices, key=lambda device: (device.process_index, device.id))
    return Mesh(np.array(ordered), (AXIS,), axis_types=(AxisType.Auto,))


def by_rows(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch: rows split over the devices."""
    return NamedSharding(mesh, PartitionSpec(AXIS))


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of the state: a copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def shard_rows(tree: Any, mesh: Mesh) -> Any:
    """Global arrays, split by rows, from the rows that each host has of its own."""
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(by_rows(mesh), x), tree)


def put_global(tree: Any, sharding: NamedSharding) -> Any:
    """Puts host-replicated arrays on a global sharding; each host copies its own devices' part.

    Args:
      tree: arrays on the host, the same on every host.
      sharding: of each of them.

    Example:
      >>> put_global(np.arange(3), replicated(make_mesh(jax.devices()[:1]))).tolist()
      [0, 1, 2]
    """
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    # device_put would have all hosts compare the arrays over the network.
    return jax.tree.map(
        lambda x: jax.make_array_from_callback(x.shape, sharding, x.__getitem__), tree
    )


def check_batch_size(batch_size: int, mesh: Mesh, micro_batch: int | None = None) -> None:
    """Raises InputError unless each device gets the same number of rows, of each slice too."""
    for flag, size in (("batch-size", batch_size), ("micro-batch", micro_batch or batch_size)):
        if size % mesh.size:
            raise InputError(f"--{flag} {size} is not divisible by {mesh.size} devices")
