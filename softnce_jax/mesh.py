"""The mesh with its one axis, `data`: batches are split over it, the state is on every device."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from softnce_jax.errors import InputError


def make_mesh() -> Mesh:
    """All devices of all hosts on one axis."""
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def check_batch_size(batch_size: int, mesh: Mesh, micro_batch: int | None = None) -> None:
    """Raises InputError unless every device gets as many rows as the others, of each slice, too."""
    for flag, size in (("batch-size", batch_size), ("micro-batch", micro_batch or batch_size)):
        if size % mesh.size:
            raise InputError(
                f"--{flag} {size} does not divide by {mesh.size} devices: give a --{flag} that does"
            )


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of the state: a copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def shard_rows(batch: Any, mesh: Mesh) -> Any:
    """Global arrays, split by rows over the devices, of every host's own rows."""
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, x), batch)
