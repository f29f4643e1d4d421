"""InfoNCE and beside it the divergence of the model's negatives from an estimator's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from softnce_jax.losses.rows import loss_of
from softnce_jax.losses.sums import log1p_weighted_sum, log_sum

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array
    from jaxtyping import Bool, Float, Int


def kl_regularized(
    q: Float[Array, "B D"],
    c: Float[Array, "n D"],
    p: Float[Array, "B N"],
    *,
    alpha: float | Float[Array, ""],
    beta: float | Float[Array, ""],
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None = None,
    scale: float | Float[Array, ""] = 1.0,
    axis_name: str | tuple[str, ...] | None = None,
    reduce_fn: Callable[..., Array] | None = jnp.mean,
) -> Float[Array, " ..."]:
    """InfoNCE, and the divergence of the model's distribution over negatives from p.

    loss_i = beta · InfoNCE_i + alpha · Σ_{j≠pos(i)} p_ij log( p_ij / r_ij )

    with r_i the softmax of s = scale · q cᵀ over row i's negatives.

    Args:
      q: query embeddings, (B, D).
      c: candidate embeddings, (N, D); under `axis_name` this device's share of them.
      p: a distribution over each row's negatives, (B, N), as `negative_distribution` makes it; the
        entry of a row's own candidate is ignored. (The slope of p log p at p = 0 is −∞; the
        gradient in p saturates near −87 · alpha there.)
      alpha: of the divergence; 0.7 in the paper.
      beta: of InfoNCE; 1.3 in the paper.
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
      Equal scores: r = (1/2, 1/2), and p that knows one of the two is log 2 away from it.

      >>> import jax.numpy as jnp
      >>> q, c = jnp.zeros((1, 4)), jnp.zeros((3, 4))
      >>> p = jnp.array([[0.0, 1.0, 0.0]])
      >>> print(f"{kl_regularized(q, c, p, alpha=1.0, beta=0.0):.4f} {jnp.log(2.0):.4f}")
      0.6931 0.6931

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (KL regularisation).
    """
    return loss_of(
        kl_rows,
        q,
        c,
        alpha,
        beta,
        target={"p": p},
        positive=positive,
        where=where,
        scale=scale,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def kl_rows(rows, p_BN, alpha, beta):
    """Every row's beta · InfoNCE + alpha · KL( p ‖ r )."""
    alpha, beta = (jnp.asarray(x, jnp.float32) for x in (alpha, beta))
    infonce_B = log1p_weighted_sum(rows.above_BN, jnp.ones_like(p_BN), rows.negative_BN)
    above_BN, p_BN = (jnp.where(rows.negative_BN, x, 0) for x in (rows.above_BN, p_BN))
    log_r_BN = above_BN - log_sum(above_BN, rows.negative_BN)[:, None]
    # 0 log 0 = 0, and a slope of −87 where the true one is −∞.
    smallest = jnp.finfo(jnp.float32).tiny
    log_p_BN = jnp.log(jnp.where(jnp.abs(p_BN) < smallest, smallest, p_BN))
    return beta * infonce_B + alpha * jnp.sum(p_BN * (log_p_BN - log_r_BN), axis=1)
