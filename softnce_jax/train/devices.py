"""The mesh with its one axis, `data`: batches are split over it, the state is on every device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from softnce_jax.errors import InputError


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Devices on one axis, by default all devices of all hosts."""
    devices = devices or jax.devices()
    return jax.make_mesh((len(devices),), ("data",), (AxisType.Auto,), devices=devices)


def check_batch_size(batch_size: int, mesh: Mesh, micro_batch: int | None = None) -> None:
    """Raises InputError unless every device gets as many rows as the others, of each slice, too."""
    for flag, size in (("batch-size", batch_size), ("micro-batch", micro_batch or batch_size)):
        if size % mesh.size:
            near = max(1, size // mesh.size) * mesh.size
            raise InputError(
                f"--{flag} {size} does not divide by {mesh.size} devices: give --{flag} {near}"
            )


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of the state: a copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def shard_rows(batch: Any, mesh: Mesh) -> Any:
    """Global arrays, split by rows over the devices, of every host's own rows."""
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, x), batch)
