"""Weighted InfoNCE: the cross entropy against a target that gives negatives a share, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from softnce_jax.losses.rows import loss_of
from softnce_jax.losses.sums import log1p_weighted_sum

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array
    from jaxtyping import Bool, Float, Int


def weighted_infonce(
    q: Float[Array, "B D"],
    c: Float[Array, "n D"],
    p: Float[Array, "B N"],
    *,
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None = None,
    scale: float | Float[Array, ""] = 1.0,
    axis_name: str | tuple[str, ...] | None = None,
    reduce_fn: Callable[..., Array] | None = jnp.mean,
) -> Float[Array, " ..."]:
    """Weighted InfoNCE: negatives are positives of weight p, each found among all.

    loss_i = −log x_i,pos(i) − Σ_{j≠pos(i)} p_ij log x_ij,  x_i = softmax of row i of s

    with s = scale · q cᵀ.

    Args:
      q: query embeddings, (B, D).
      c: candidate embeddings, (N, D); under `axis_name` this device's share of them.
      p: weights of the negatives, (B, N), at least 0, from `negative_distribution` for instance;
        the entry of a row's own candidate is ignored.
      positive: column of each row's own candidate, (B,); by default column i.
      where: which rows count, (B,), or which pairs do, (B, N); see `soft_infonce`.
      scale: factor on the scores (an inverse temperature).
      axis_name: the mapped axis over which candidates are gathered; see `soft_infonce`.
      reduce_fn: makes one value of the rows' losses; None returns them, (B,).

    Returns:
      A float32 scalar, or (B,) float32 where `reduce_fn` is None.

    Raises:
      ValueError: shapes disagree, or there is no negative at all.
      TypeError: `positive` holds no integers or `where` no booleans.

    Example:
      Three equal scores, shares of 1/3: −log(1/3) for the positive and as much for p, which sums
      to 1.

      >>> import jax.numpy as jnp
      >>> loss = weighted_infonce(jnp.zeros((3, 2)), jnp.zeros((3, 2)), jnp.full((3, 3), 0.5))
      >>> print(f"{loss:.4f} {2 * jnp.log(3.0):.4f}")
      2.1972 2.1972

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eq. 13, with the
    negative's score in the numerator as in the published code (the paper prints the positive's).
    """
    return loss_of(
        weighted_rows,
        q,
        c,
        target={"p": p},
        positive=positive,
        where=where,
        scale=scale,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def weighted_rows(rows, p_BN):
    """−log x = log Σ e^above − above of the positive, once, and of the negatives, p times."""
    total_B = log1p_weighted_sum(rows.above_BN, jnp.ones_like(p_BN), rows.negative_BN)
    above_BN, p_BN = (jnp.where(rows.negative_BN, x, 0) for x in (rows.above_BN, p_BN))
    return total_B + jnp.sum(p_BN * (total_B[:, None] - above_BN), axis=1)
