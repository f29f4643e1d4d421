"""InfoNCE and Soft-InfoNCE."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from softnce_jax.losses.rows import loss_of
from softnce_jax.losses.sums import log1p_weighted_sum

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array
    from jaxtyping import Bool, Float, Int


def infonce(
    q: Float[Array, "B D"],
    c: Float[Array, "n D"],
    *,
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None = None,
    scale: float | Float[Array, ""] = 1.0,
    cosine: bool = False,
    symmetric: bool = False,
    axis_name: str | tuple[str, ...] | None = None,
    reduce_fn: Callable[..., Array] | None = jnp.mean,
) -> Float[Array, " ..."]:
    """InfoNCE: the cross entropy of finding each query's own candidate among all.

    loss_i = log Σ_j e^{s_ij} − s_i,pos(i)  with  s = scale · q cᵀ

    It is `soft_infonce` with every weight 1.

    Args:
      q: query embeddings, (B, D).
      c: candidate embeddings, (N, D); under `axis_name` this device's share of them.
      positive: column of each row's own candidate, (B,); by default column i.
      where: which rows count, (B,), or which pairs do, (B, N); see `soft_infonce`.
      scale: factor on the scores (an inverse temperature).
      cosine: whether q and c are scaled to unit length first; see `soft_infonce`.
      symmetric: whether each code looks for its query, too; see `soft_infonce`.
      axis_name: the mapped axis over which candidates are gathered; see `soft_infonce`.
      reduce_fn: makes one value of the rows' losses; None returns them, (B,).

    Returns:
      A float32 scalar, or (B,) float32 where `reduce_fn` is None.

    Raises:
      ValueError: shapes disagree, or there is no negative at all.
      TypeError: `positive` holds no integers or `where` no booleans.

    Example:
      Equal scores: the loss is the log of the number of candidates.

      >>> import jax.numpy as jnp
      >>> loss = infonce(jnp.zeros((4, 2)), jnp.zeros((4, 2)))
      >>> print(f"{loss:.4f} {jnp.log(4.0):.4f}")
      1.3863 1.3863

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (the baseline loss).
    """
    return soft_infonce(
        q,
        c,
        positive=positive,
        where=where,
        scale=scale,
        cosine=cosine,
        symmetric=symmetric,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def soft_infonce(
    q: Float[Array, "B D"],
    c: Float[Array, "n D"],
    w: Float[Array, "B N"] | None = None,
    *,
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None = None,
    scale: float | Float[Array, ""] = 1.0,
    cosine: bool = False,
    symmetric: bool = False,
    axis_name: str | tuple[str, ...] | None = None,
    reduce_fn: Callable[..., Array] | None = jnp.mean,
) -> Float[Array, " ..."]:
    """Soft-InfoNCE: InfoNCE in which each negative counts with a weight of its own.

    loss_i = log( e^{s_i,pos(i)} + Σ_{j≠pos(i)} w_ij e^{s_ij} ) − s_i,pos(i),  s = scale · q cᵀ

    Computed in log space and float32 whatever the input type, so exact at any score and any
    w ≥ 0, and differentiable in q, c and w, also where w = 0. (Where e^score of a negative with
    w = 0 is beyond float32, so is its gradient: it saturates near 1e38 and stays finite.)

    Args:
      q: query embeddings, (B, D).
      c: candidate embeddings, (N, D) with N ≥ B; rows beyond B are explicit hard negatives. Under
        `axis_name` this device's share; they are gathered in the order of the devices.
      w: negative weights, (B, N), at least 0 (below 0 the loss is NaN); the entry of a row's own
        candidate is ignored. None means 1 everywhere: InfoNCE. Under `axis_name` local rows, global
        columns.
      positive: column of each row's own candidate, (B,) integers; by default column i, under
        `axis_name` plus the columns of the devices before this one. Columns are global. A column
        that does not exist makes the row's loss NaN.
      where: booleans. (B,) leaves rows out; their candidates stay negatives of the other rows.
        (B, N) leaves candidates out too, entry by entry: a row whose own candidate is left out is
        left out, a column that is False everywhere is as if it were not there. To drop padded
        pairs entirely give `valid[:, None] & valid[None, :]`. What is left out reaches neither
        value nor gradient, not even if it is NaN. Under `axis_name` local rows, global columns.
      scale: factor on the scores (an inverse temperature).
      cosine: whether q and c are scaled to unit length first, so that a score is scale · cos. Give
        a `scale` with it, 20 for instance: a softmax of cosines alone is nearly flat. A vector of
        zeros has cosine 0 with any other, and no gradient.
      symmetric: whether the other direction is added: loss_i is then the mean of the above and of

          log( e^{s_i,pos(i)} + Σ_j w_j,pos(i) e^{s_j,pos(i)} ) − s_i,pos(i)

        in which the row's own candidate looks for its query i among all queries j of which it is
        not the own candidate. The weights are those of the first direction, w transposed; so is
        `where`. Explicit hard negatives have no query to look for.
      axis_name: under `pmap` or `shard_map`, the mapped axis (or axes) over which candidates are
        gathered. The value is then that of **this device's** rows; `pmean` of the value and of
        the parameter gradients gives the global ones. With `where`, devices may count different
        numbers of rows: use `reduce_fn=None`, then `psum` of the sum over `psum` of the count.
        None inside a map means negatives of this device only.
      reduce_fn: makes one value of the rows' losses, called with `where=` if `where` is given;
        None returns the rows' losses, 0 at rows left out.

    Returns:
      A float32 scalar, or (B,) float32 where `reduce_fn` is None. A row without negatives gives
      0 and no gradient; so does an input of which `where` leaves nothing.

    Raises:
      ValueError: shapes disagree, or there is no negative at all.
      TypeError: `positive` holds no integers or `where` no booleans.

    Example:
      All scores equal, two negatives of weight 0.5: e^0 + 0.5 e^0 + 0.5 e^0 = 2.

      >>> import jax.numpy as jnp
      >>> q, c, w = jnp.zeros((3, 4)), jnp.zeros((3, 4)), jnp.full((3, 3), 0.5)
      >>> print(f"{soft_infonce(q, c, w):.4f} {jnp.log(2.0):.4f}")
      0.6931 0.6931

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eq. 3.
    """
    rows = functools.partial(soft_rows, symmetric=symmetric, axis_name=axis_name)
    return loss_of(
        rows,
        q,
        c,
        target={"w": w},
        positive=positive,
        where=where,
        scale=scale,
        cosine=cosine,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def soft_rows(rows, w_BN, *, symmetric, axis_name):
    """Eq. 3 of every row, or the mean of both directions."""
    if w_BN is None:
        w_BN = jnp.ones_like(rows.score_BN)
    loss_B = log1p_weighted_sum(rows.above_BN, w_BN, rows.negative_BN)
    if not symmetric:
        return loss_B
    turn = functools.partial(turned, positive_B=rows.positive_B, axis_name=axis_name)
    above_BB = turn(rows.score_BN) - rows.own_B[:, None]
    negative_BB = turn(rows.negative_BN) & rows.counted_B[:, None]
    return (loss_B + log1p_weighted_sum(above_BB, turn(w_BN), negative_BB)) / 2


def turned(x_BN, *, positive_B, axis_name):
    """What every query of the batch has at the own candidate of each row: (rows, queries)."""
    if axis_name is None:
        return jnp.take(x_BN, positive_B, axis=1, mode="clip").T
    everyone_B = jax.lax.all_gather(positive_B, axis_name, tiled=True)
    x_BB = jnp.take(x_BN, everyone_B, axis=1, mode="clip")
    return jax.lax.all_to_all(x_BB, axis_name, split_axis=1, concat_axis=0, tiled=True).T
