"""Binary cross entropy of each candidate's share of its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from softnce_jax.losses.rows import loss_of
from softnce_jax.losses.sums import log_shares

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array
    from jaxtyping import Bool, Float, Int


def bce(
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
    """Binary cross entropy: each candidate's share against 1 at the positive, p at a negative.

    loss_i = −mean_j [ W_ij log x_ij + (1 − W_ij) log(1 − x_ij) ],  x_i = softmax of row i of s

    with s = scale · q cᵀ, W_ij = p_ij and W_i,pos(i) = 1; j runs over the row's positive and valid
    negatives. Both logarithms are exact, also where x rounds to 1.

    Args:
      q: query embeddings, (B, D).
      c: candidate embeddings, (N, D); under `axis_name` this device's share of them.
      p: targets of the negatives, (B, N), 0 to 1, from `negative_distribution` for instance; the
        entry of a row's own candidate is ignored.
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
      Two equal scores, shares of 1/2: every term is −log(1/2), whatever p.

      >>> import jax.numpy as jnp
      >>> loss = bce(jnp.zeros((2, 3)), jnp.zeros((2, 3)), jnp.full((2, 2), 0.2))
      >>> print(f"{loss:.4f} {jnp.log(2.0):.4f}")
      0.6931 0.6931

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (the BCE loss and
    Theorem 2), with the softmax of the published code.
    """
    return loss_of(
        bce_rows,
        q,
        c,
        target={"p": p},
        positive=positive,
        where=where,
        scale=scale,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def bce_rows(rows, p_BN):
    """The mean over each row's candidates; 0 where there is but the positive."""
    valid_BN = rows.negative_BN | (rows.own_BN & rows.counted_B[:, None])
    target_BN = jnp.where(rows.own_BN, 1, jnp.where(rows.negative_BN, p_BN, 0))
    share_BN, rest_BN = log_shares(rows.above_BN, valid_BN)
    entropy_BN = -(target_BN * share_BN + (1 - target_BN) * rest_BN)
    sum_B = jnp.sum(jnp.where(valid_BN, entropy_BN, 0), axis=1)
    count_B = jnp.sum(valid_BN, axis=1, dtype=jnp.float32)
    return jnp.where(count_B > 1, sum_B / jnp.maximum(count_B, 1), 0)
