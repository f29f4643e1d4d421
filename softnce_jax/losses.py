"""The losses: pure functions of embeddings and of what an estimator says of the negatives.

A tour. Three questions, three pieces of code, row i of one belonging to row i of the other:

>>> import jax
>>> import jax.numpy as jnp
>>> from softnce_jax import infonce, negative_weights, soft_infonce
>>> q = jnp.array([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
>>> c = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])

Plain: every other piece of code in the batch is a negative, all of them alike.

>>> print(f"{infonce(q, c):.4f}")
0.6759

Weighted: the entries of w multiply e^score of the negatives, so that a negative which is half an
answer pushes less. Any w >= 0 works; `negative_weights` makes one from any similarity.

>>> w = negative_weights(q @ q.T, alpha=1.0, beta=1.0, temperature=5.0)
>>> print(f"{soft_infonce(q, c, w):.4f}")
0.5998

Gradients flow into q and c (and into w, if you let them):

>>> dq, dc = jax.grad(soft_infonce, argnums=(0, 1))(q, c, w)
>>> print(dq.shape, dc.shape)
(3, 2) (3, 2)

The other losses are called alike, with p (`negative_distribution`) or the similarity itself:

>>> from softnce_jax import cancel_top_k, kl_regularized, negative_distribution
>>> p = negative_distribution(q @ q.T, temperature=5.0)
>>> print(f"{kl_regularized(q, c, p, alpha=0.7, beta=1.3):.4f}")
1.0473
>>> print(f"{cancel_top_k(q, c, q @ q.T, k=1):.4f}")
0.1629

Under `jit` sharded arrays need nothing more. Under `pmap` or `shard_map` name the axis with
`axis_name`, see `soft_infonce`.
"""

from __future__ import annotations

import functools
from numbers import Real
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from softnce_jax._scores import (
    check_embeddings,
    check_own_columns,
    check_pairs,
    log1p_weighted_sum,
    log_shares,
    log_sum,
    loss_of,
    over_rows,
)

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


def without_duplicates(
    query_keys: Int[Array, " B"],
    code_keys: Int[Array, " n"],
    *,
    answers: Int[Array, "n P"] | None = None,
    positive: Int[Array, " B"] | None = None,
    axis_name: str | tuple[str, ...] | None = None,
) -> Bool[Array, "B N"]:
    """The `where` of a loss that leaves out candidates which answer the row's query, too.

    A candidate is no negative of a row if it is the same code as the row's own candidate, or the
    own candidate of a row with the same query, or known to answer that query.

    Args:
      query_keys: an integer for each query, (B,), equal iff the texts are, a hash for instance.
      code_keys: one for each candidate, (N,); under `axis_name` this device's share of them.
      answers: keys of the queries that each candidate answers, (N, P), one of them again where
        they are fewer: what tells that an explicit hard negative, no row's own candidate, answers
        a row's query. Under `axis_name` this device's share.
      positive: column of each row's own candidate, (B,) integers; by default as in `soft_infonce`.
      axis_name: the mapped axis over which candidates are gathered; see `soft_infonce`.

    Returns:
      (B, N) booleans, True at the row's own candidate; under `axis_name` local rows, global
      columns.

    Raises:
      ValueError: shapes disagree, or there is no negative at all.
      TypeError: the keys or `positive` hold no integers.

    Example:
      Queries 0 and 2 are the same text, codes 1 and 2 are.

      >>> import jax.numpy as jnp
      >>> where = without_duplicates(jnp.array([7, 8, 7]), jnp.array([3, 4, 4]))
      >>> print(where.astype(int))
      [[1 1 0]
       [1 1 0]
       [0 0 1]]

    Source: ours; the paper's code keeps duplicates as negatives.
    """
    check_keys(query_keys, code_keys)
    if answers is not None and (answers.ndim != 2 or len(answers) != len(code_keys)):
        raise ValueError(f"answers has shape {answers.shape}; give ({len(code_keys)}, P)")
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * len(code_keys)
    if positive is None:
        check_own_columns(len(query_keys), len(code_keys))
        positive = jnp.arange(len(query_keys), dtype=jnp.int32) + first
    everyone = query_keys, positive
    if axis_name is not None:
        gathered = jax.lax.all_gather((code_keys, answers, *everyone), axis_name, tiled=True)
        code_keys, answers, *everyone = gathered
    check_pairs((len(query_keys), len(code_keys)), positive=positive)
    return over_rows(distinct_rows, query_keys, positive, code_keys, *everyone, answers)


def distinct_rows(query_B, positive_B, code_N, every_query_B, every_positive_B, answer_NP):
    """False where code or query is that of the row; True at the row's own column."""
    own_BN = jnp.arange(code_N.shape[0])[None, :] == positive_B[:, None]
    same_code_BN = code_N[None, :] == jnp.take(code_N, positive_B, mode="clip")[:, None]
    asked_BB = query_B[:, None] == every_query_B[None, :]
    same_query_BN = jnp.zeros_like(own_BN).at[:, every_positive_B].max(asked_BB)
    if answer_NP is not None:
        same_query_BN |= jnp.any(query_B[:, None, None] == answer_NP[None], axis=2)
    return own_BN | ~(same_code_BN | same_query_BN)


def check_keys(query_keys, code_keys) -> None:
    """Raises unless both are vectors of integers."""
    for name, keys in {"query_keys": query_keys, "code_keys": code_keys}.items():
        if keys.ndim != 1:
            raise ValueError(f"{name} has shape {keys.shape}; give one integer a text")
        if not jnp.issubdtype(keys.dtype, jnp.integer):
            raise TypeError(f"{name} holds {keys.dtype}; give one integer a text")
