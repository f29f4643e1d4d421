"""False-negative cancellation: InfoNCE without the negatives too similar to be negative."""

from __future__ import annotations

import functools
from numbers import Real
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from softnce_jax.losses.checks import check_embeddings
from softnce_jax.losses.rows import loss_of
from softnce_jax.losses.sums import log1p_weighted_sum

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array
    from jaxtyping import Bool, Float, Int


def cancel_top_k(
    q: Float[Array, "B D"],
    c: Float[Array, "n D"],
    similarity: Float[Array, "B N"],
    *,
    k: int,
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None = None,
    scale: float | Float[Array, ""] = 1.0,
    axis_name: str | tuple[str, ...] | None = None,
    reduce_fn: Callable[..., Array] | None = jnp.mean,
) -> Float[Array, " ..."]:
    """InfoNCE without each row's k most similar negatives.

    Args:
      q: query embeddings, (B, D).
      c: candidate embeddings, (N, D); under `axis_name` this device's share of them.
      similarity: an estimator's similarity, (B, N); the entry of a row's own candidate is ignored.
        A NaN among a row's negatives makes its loss NaN. No gradient flows through.
      k: how many negatives of each row are cancelled, 0 to N − 2; 0 is InfoNCE. Of equally similar
        ones the lower column is cancelled first. A row that `where` leaves no more than k negatives
        gives 0 and no gradient.
      positive: column of each row's own candidate, (B,); by default column i.
      where: which rows count, (B,), or which pairs do, (B, N); see `soft_infonce`.
      scale: factor on the scores (an inverse temperature).
      axis_name: the mapped axis over which candidates are gathered; see `soft_infonce`.
      reduce_fn: makes one value of the rows' losses; None returns them, (B,).

    Returns:
      A float32 scalar, or (B,) float32 where `reduce_fn` is None.

    Raises:
      ValueError: k is below 0 or leaves no negative, shapes disagree, or there is none at all.
      TypeError: `positive` holds no integers or `where` no booleans.

    Example:
      Equal scores, one of three negatives cancelled: three candidates are left.

      >>> import jax.numpy as jnp
      >>> loss = cancel_top_k(jnp.zeros((4, 2)), jnp.zeros((4, 2)), jnp.eye(4), k=1)
      >>> print(f"{loss:.4f} {jnp.log(3.0):.4f}")
      1.0986 1.0986

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (false negative
    cancellation, top-k).
    """
    check_embeddings(q, c)
    devices = 1 if axis_name is None else jax.lax.axis_size(axis_name)
    check_k(k, devices * c.shape[0] - 1)
    return loss_of(
        functools.partial(top_k_rows, k=k),
        q,
        c,
        target={"similarity": similarity},
        positive=positive,
        where=where,
        scale=scale,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def cancel_threshold(
    q: Float[Array, "B D"],
    c: Float[Array, "n D"],
    similarity: Float[Array, "B N"],
    *,
    ratio: float | Float[Array, ""],
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None = None,
    scale: float | Float[Array, ""] = 1.0,
    axis_name: str | tuple[str, ...] | None = None,
    reduce_fn: Callable[..., Array] | None = jnp.mean,
) -> Float[Array, " ..."]:
    """InfoNCE with the negatives that are clearly less similar than the row's own candidate.

    Negative j stays iff  similarity_ij < ratio · similarity_i,pos(i).

    Args:
      q: query embeddings, (B, D).
      c: candidate embeddings, (N, D); under `axis_name` this device's share of them.
      similarity: an estimator's similarity, (B, N), that of the row's own candidate included. A NaN
        among those of a row makes its loss NaN. No gradient flows through.
      ratio: above 0. A row of which no negative stays gives 0 and no gradient.
      positive: column of each row's own candidate, (B,); by default column i.
      where: which rows count, (B,), or which pairs do, (B, N); see `soft_infonce`.
      scale: factor on the scores (an inverse temperature).
      axis_name: the mapped axis over which candidates are gathered; see `soft_infonce`.
      reduce_fn: makes one value of the rows' losses; None returns them, (B,).

    Returns:
      A float32 scalar, or (B,) float32 where `reduce_fn` is None.

    Raises:
      ValueError: ratio is not above 0, shapes disagree, or there is no negative at all.
      TypeError: `positive` holds no integers or `where` no booleans.

    Example:
      Equal scores. Row 0 keeps both negatives, row 1 none, row 2 one.

      >>> import jax.numpy as jnp
      >>> similarity = jnp.array([[1.0, 0.2, 0.2], [0.9, 1.0, 0.9], [0.2, 0.5, 1.0]])
      >>> q, c = jnp.zeros((3, 2)), jnp.zeros((3, 2))
      >>> print(jnp.exp(cancel_threshold(q, c, similarity, ratio=0.5, reduce_fn=None)))
      [3. 1. 2.]

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (false negative
    cancellation, threshold).
    """
    if isinstance(ratio, Real) and not ratio > 0:
        raise ValueError(f"ratio is {ratio}; it must be above 0")
    return loss_of(
        threshold_rows,
        q,
        c,
        ratio,
        target={"similarity": similarity},
        positive=positive,
        where=where,
        scale=scale,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def check_k(k: int, negatives: int) -> None:
    """Raises unless k negatives can be taken from so many and one is left."""
    if negatives > 0 and not 0 <= k < negatives:
        raise ValueError(f"k is {k}, but a row has {negatives} negatives; give 0 to one fewer")


def top_k_rows(rows, similarity_BN, *, k):
    """InfoNCE of every row without its k most similar negatives, the first of equal ones."""
    similarity_BN = jnp.where(rows.negative_BN, similarity_BN, -jnp.inf)
    if k == 0:
        return kept_infonce(rows, similarity_BN, rows.negative_BN)
    least_B1 = jax.lax.top_k(similarity_BN, k)[0][:, -1:]
    above_BN = rows.negative_BN & (similarity_BN > least_B1)
    equal_BN = rows.negative_BN & (similarity_BN == least_B1)
    room_B1 = k - jnp.sum(above_BN, axis=1, keepdims=True)
    first_BN = equal_BN & (jnp.cumsum(equal_BN, axis=1) <= room_B1)
    return kept_infonce(rows, similarity_BN, rows.negative_BN & ~(above_BN | first_BN))


def threshold_rows(rows, similarity_BN, ratio):
    """InfoNCE of every row with the negatives below `ratio` times its own similarity."""
    own_B1 = jnp.sum(jnp.where(rows.own_BN, similarity_BN, 0), axis=1, keepdims=True)
    most_B1 = jnp.asarray(ratio, jnp.float32) * own_B1
    similarity_BN = jnp.where(rows.own_BN | rows.negative_BN, similarity_BN, 0)
    return kept_infonce(rows, similarity_BN, rows.negative_BN & (similarity_BN < most_B1))


def kept_infonce(rows, similarity_BN, kept_BN):
    """InfoNCE with the negatives kept; NaN where a similarity is, for it cannot be compared."""
    loss_B = log1p_weighted_sum(rows.above_BN, jnp.ones_like(similarity_BN), kept_BN)
    return jnp.where(jnp.any(jnp.isnan(similarity_BN), axis=1), jnp.nan, loss_B)
