"""Arrays that every host has whole, on the devices of all hosts."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import NamedSharding


def spread(tree: Any, sharding: NamedSharding) -> Any:
    """The arrays with a sharding; each host copies what its own devices hold.

    Args:
      tree: arrays on the host, the same on every host.
      sharding: of each of them.

    Example:
      >>> import numpy as np
      >>> mesh = jax.make_mesh((1,), ("data",), devices=jax.devices()[:1])
      >>> spread(np.arange(3), NamedSharding(mesh, jax.sharding.PartitionSpec())).tolist()
      [0, 1, 2]
    """
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    # device_put would have all hosts compare the arrays over the network.
    return jax.tree.map(
        lambda x: jax.make_array_from_callback(x.shape, sharding, x.__getitem__), tree
    )
