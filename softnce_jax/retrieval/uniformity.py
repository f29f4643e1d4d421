"""Alignment and uniformity: how unit vectors are spread over the sphere, without any ranking.

Both fall as an encoder gets better: texts with the same meaning are close, all texts far apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jax import Array
    from jaxtyping import Float

__all__ = ["alignment", "uniformity"]

DISTANCE_ROWS = 256  # of the (R, R) distances, computed at once


def alignment(
    x_RD: Float[Array | np.ndarray, "R D"],
    y_RD: Float[Array | np.ndarray, "R D"],
    *,
    alpha: float = 2.0,
) -> Float[Array, ""]:
    """How far apart texts with the same meaning are: the mean distance of pairs, to a power.

        mean_i |x_i − y_i|^α

    Args:
      x_RD: unit vectors.
      y_RD: the unit vector that belongs to each of them.
      alpha: the power.

    Returns:
      A float32 scalar from 0 to 2^α.

    Raises:
      ValueError: the shapes differ, or there is no pair.

    Example:
      >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
      >>> print(f"{alignment(x, x):.1f} {alignment(x, x[::-1]):.1f}")
      0.0 2.0

    Source: Wang and Isola, "Understanding Contrastive Representation Learning through Alignment
    and Uniformity on the Hypersphere", ICML 2020.
    """
    if x_RD.shape != y_RD.shape or not len(x_RD):
        raise ValueError(f"vectors {x_RD.shape} and {y_RD.shape}: give as many of each, 1 at least")
    squared_R = jnp.sum((jnp.asarray(x_RD) - jnp.asarray(y_RD)) ** 2, axis=1, dtype=jnp.float32)
    return jnp.mean(squared_R ** (alpha / 2))


def uniformity(x_RD: Float[Array | np.ndarray, "R D"], *, t: float = 2.0) -> Float[Array, ""]:
    """How evenly vectors fill the sphere: the log of the mean Gaussian potential of their pairs.

        log mean_{i≠j} e^{−t |x_i − x_j|²}

    Distances are computed a few rows at a time: memory grows with R, not with R².

    Args:
      x_RD: unit vectors.
      t: the sharpness of the potential.

    Returns:
      A float32 scalar from −4t to 0, which is the value where all vectors are equal.

    Raises:
      ValueError: fewer than 2 vectors.

    Example:
      Two opposite vectors: their squared distance is 4.

      >>> print(f"{uniformity(np.array([[1.0, 0.0], [-1.0, 0.0]])):.1f}")
      -8.0

    Source: Wang and Isola, ICML 2020, Eq. 2 with its t = 2.
    """
    if len(x_RD) < 2:
        raise ValueError(f"{len(x_RD)} vectors have no pairs: give 2 at least")
    return _log_mean_potential(jnp.asarray(x_RD, jnp.float32), t)


@jax.jit
def _log_mean_potential(x_RD: Array, t: float) -> Array:
    rows = len(x_RD)
    size_R = jnp.sum(x_RD**2, axis=1)

    def log_potential(row):
        product_R = jnp.matmul(x_RD, x_RD[row], precision=jax.lax.Precision.HIGHEST)
        squared_R = jnp.maximum(size_R + size_R[row] - 2 * product_R, 0)
        return jax.nn.logsumexp(-t * squared_R, where=jnp.arange(rows) != row)

    log_R = jax.lax.map(log_potential, jnp.arange(rows), batch_size=min(DISTANCE_ROWS, rows))
    return jax.nn.logsumexp(log_R) - jnp.log(rows * (rows - 1.0))
