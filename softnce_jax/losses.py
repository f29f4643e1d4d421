"""The losses: pure functions of embeddings and of how similar an estimator finds the negatives.

In the order in which a reader needs them:

    infonce           every other candidate is a negative, all of them alike
    soft_infonce      a weight on each negative (Eq. 3): the paper's loss
    weighted_infonce  negatives are positives of weight p
    bce               binary cross entropy of each candidate's share, against p at the negatives
    kl_regularized    InfoNCE plus the divergence of the model's distribution from p
    cancel_top_k      InfoNCE without each row's k most similar negatives
    cancel_threshold  InfoNCE with the negatives clearly less similar than the positive

and `without_duplicates`, the mask that keeps a second right answer from being a negative.

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

>>> dq, dc = jax.jit(jax.grad(soft_infonce, argnums=(0, 1)))(q, c, w)
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
`axis_name`, see `soft_infonce`, and make w or p with `positive`, see `negative_weights`.

Each loss hands a function of its rows to `compute_loss` in `_scores.py`, which checks arguments,
gathers candidates, masks, scores and reduces for all of them alike. What is left to read here is
the formula of a row: `_soft_rows`, `_weighted_rows` and so on, each below its loss.
"""

from __future__ import annotations

import functools
from numbers import Real
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from softnce_jax._scores import (
    Dim,
    call_with_auto_axes,
    check_default_positives,
    check_embeddings,
    check_pairs,
    compute_loss,
    distinct_pairs,
    is_smaller,
    log1p_weighted_sum,
    log_softmax_and_complement,
    masked_logsumexp,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array
    from jaxtyping import Bool, Float, Int, Shaped

    from softnce_jax._scores import PairScores

__all__ = [
    "bce",
    "cancel_threshold",
    "cancel_top_k",
    "infonce",
    "kl_regularized",
    "soft_infonce",
    "weighted_infonce",
    "without_duplicates",
]


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
      >>> loss = infonce(jnp.zeros((3, 2)), jnp.zeros((3, 2)))
      >>> print(f"{loss:.4f} {jnp.log(3.0):.4f}")
      1.0986 1.0986

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
      >>> q, c, w = jnp.zeros((3, 2)), jnp.zeros((3, 2)), jnp.full((3, 3), 0.5)
      >>> print(f"{soft_infonce(q, c, w):.4f} {jnp.log(2.0):.4f}")
      0.6931 0.6931

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eq. 3.
    """
    row_function = functools.partial(_soft_rows, symmetric=symmetric, axis_name=axis_name)
    return compute_loss(
        row_function,
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


def _soft_rows(
    pairs: PairScores,
    w_BN: Float[Array, "B N"] | None,
    *,
    symmetric: bool,
    axis_name: str | tuple[str, ...] | None,
) -> Float[Array, " B"]:
    """Eq. 3 of every row, or the mean of both directions."""
    if w_BN is None:
        w_BN = jnp.ones_like(pairs.score_BN)
    loss_B = log1p_weighted_sum(pairs.relative_BN, w_BN, pairs.is_negative_BN)
    if not symmetric:
        return loss_B
    at_positives = functools.partial(
        _queries_at_positives, positive_B=pairs.positive_B, axis_name=axis_name
    )
    relative_BB = at_positives(pairs.score_BN) - pairs.positive_score_B[:, None]
    is_negative_BB = at_positives(pairs.is_negative_BN) & pairs.counted_B[:, None]
    backward_B = log1p_weighted_sum(relative_BB, at_positives(w_BN), is_negative_BB)
    return (loss_B + backward_B) / 2


def _queries_at_positives(
    x_BN: Shaped[Array, "b N"],
    *,
    positive_B: Int[Array, " b"],
    axis_name: str | tuple[str, ...] | None,
) -> Shaped[Array, "b B"]:
    """Row i holds column positive_i of x: what each query of the global batch has there.

    Under `axis_name` x has this device's queries. So each device reads its queries' entries at the
    positives of all devices and sends every device those at its own.
    """
    if axis_name is None:
        return jnp.take(x_BN, positive_B, axis=1, mode="clip").T
    every_positive = jax.lax.all_gather(positive_B, axis_name, tiled=True)
    x_BB = jnp.take(x_BN, every_positive, axis=1, mode="clip")
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
    return compute_loss(
        _weighted_rows,
        q,
        c,
        target={"p": p},
        positive=positive,
        where=where,
        scale=scale,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def _weighted_rows(pairs: PairScores, p_BN: Float[Array, "B N"]) -> Float[Array, " B"]:
    """Σ_j W_ij (log Σ_k e^relative_ik − relative_ij), W being 1 at the positive, p at negatives."""
    log_sum_B = log1p_weighted_sum(pairs.relative_BN, jnp.ones_like(p_BN), pairs.is_negative_BN)
    # Masked before the product: what is left out may be NaN, and 0 · NaN is NaN.
    relative_BN, p_BN = (jnp.where(pairs.is_negative_BN, x, 0) for x in (pairs.relative_BN, p_BN))
    return log_sum_B + jnp.sum(p_BN * (log_sum_B[:, None] - relative_BN), axis=1)


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
    return compute_loss(
        _bce_rows,
        q,
        c,
        target={"p": p},
        positive=positive,
        where=where,
        scale=scale,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def _bce_rows(pairs: PairScores, p_BN: Float[Array, "B N"]) -> Float[Array, " B"]:
    """The mean over each row's candidates; 0 where the positive is the only one."""
    valid_BN = pairs.is_negative_BN | (pairs.is_positive_BN & pairs.counted_B[:, None])
    target_BN = jnp.where(pairs.is_positive_BN, 1, jnp.where(pairs.is_negative_BN, p_BN, 0))
    log_x_BN, log_rest_BN = log_softmax_and_complement(pairs.relative_BN, valid_BN)
    entropy_BN = -(target_BN * log_x_BN + (1 - target_BN) * log_rest_BN)
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
      >>> q, c = jnp.zeros((3, 2)), jnp.zeros((3, 2))
      >>> p = jnp.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
      >>> print(f"{kl_regularized(q, c, p, alpha=1.0, beta=0.0):.4f} {jnp.log(2.0):.4f}")
      0.6931 0.6931

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (KL regularisation).
    """
    return compute_loss(
        _kl_rows,
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


def _kl_rows(
    pairs: PairScores,
    p_BN: Float[Array, "B N"],
    alpha: float | Float[Array, ""],
    beta: float | Float[Array, ""],
) -> Float[Array, " B"]:
    """Beta · InfoNCE + alpha · KL( p ‖ r ) of every row."""
    alpha, beta = (jnp.asarray(x, jnp.float32) for x in (alpha, beta))
    infonce_B = log1p_weighted_sum(pairs.relative_BN, jnp.ones_like(p_BN), pairs.is_negative_BN)
    relative_BN, p_BN = (jnp.where(pairs.is_negative_BN, x, 0) for x in (pairs.relative_BN, p_BN))
    log_r_BN = relative_BN - masked_logsumexp(relative_BN, pairs.is_negative_BN)[:, None]
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
        gives 0 and no gradient. Where `jax.export` leaves N open, give it the constraint N > k.
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
      Equal scores, one of two negatives cancelled: two candidates are left.

      >>> import jax.numpy as jnp
      >>> loss = cancel_top_k(jnp.zeros((3, 2)), jnp.zeros((3, 2)), jnp.eye(3), k=1)
      >>> print(f"{loss:.4f} {jnp.log(2.0):.4f}")
      0.6931 0.6931

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (false negative
    cancellation, top-k).
    """
    check_embeddings(q, c)
    devices = 1 if axis_name is None else jax.lax.axis_size(axis_name)
    _check_k(k, devices * c.shape[0] - 1)
    return compute_loss(
        functools.partial(_top_k_rows, k=k),
        q,
        c,
        target={"similarity": similarity},
        positive=positive,
        where=where,
        scale=scale,
        axis_name=axis_name,
        reduce_fn=reduce_fn,
    )


def _check_k(k: int, negatives: Dim) -> None:
    """Raises unless at least one of the negatives is left when k are taken."""
    if k < 0 or (is_smaller(0, negatives) and not is_smaller(k, negatives)):
        raise ValueError(f"k is {k}, but a row has {negatives} negatives; give 0 to one fewer")


def _top_k_rows(
    pairs: PairScores, similarity_BN: Float[Array, "B N"], *, k: int
) -> Float[Array, " B"]:
    """InfoNCE of every row without its k most similar negatives, the first of equal ones."""
    similarity_BN = jnp.where(pairs.is_negative_BN, similarity_BN, -jnp.inf)
    if k == 0:
        return _infonce_rows(pairs, similarity_BN, pairs.is_negative_BN)
    # Cancelled is what lies above the k-th largest similarity, and of those equal to it as many,
    # from the left, as make k.
    kth_B1 = jax.lax.top_k(similarity_BN, k)[0][:, -1:]
    is_above_BN = pairs.is_negative_BN & (similarity_BN > kth_B1)
    is_equal_BN = pairs.is_negative_BN & (similarity_BN == kth_B1)
    remaining_B1 = k - jnp.sum(is_above_BN, axis=1, keepdims=True)
    is_first_BN = is_equal_BN & (jnp.cumsum(is_equal_BN, axis=1) <= remaining_B1)
    remains_BN = pairs.is_negative_BN & ~(is_above_BN | is_first_BN)
    return _infonce_rows(pairs, similarity_BN, remains_BN)


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
    return compute_loss(
        _threshold_rows,
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


def _threshold_rows(
    pairs: PairScores, similarity_BN: Float[Array, "B N"], ratio: float | Float[Array, ""]
) -> Float[Array, " B"]:
    """InfoNCE of every row with the negatives below `ratio` times its positive's similarity."""
    is_positive_BN, is_negative_BN = pairs.is_positive_BN, pairs.is_negative_BN
    positive_B1 = jnp.sum(jnp.where(is_positive_BN, similarity_BN, 0), axis=1, keepdims=True)
    limit_B1 = jnp.asarray(ratio, jnp.float32) * positive_B1
    similarity_BN = jnp.where(is_positive_BN | is_negative_BN, similarity_BN, 0)
    return _infonce_rows(pairs, similarity_BN, is_negative_BN & (similarity_BN < limit_B1))


def _infonce_rows(
    pairs: PairScores, similarity_BN: Float[Array, "B N"], remains_BN: Bool[Array, "B N"]
) -> Float[Array, " B"]:
    """InfoNCE with the negatives that remain; NaN where a similarity is: it cannot be compared."""
    loss_B = log1p_weighted_sum(pairs.relative_BN, jnp.ones_like(similarity_BN), remains_BN)
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
    _check_keys(query_keys, code_keys)
    if answers is not None and (answers.ndim != 2 or answers.shape[:1] != code_keys.shape):
        raise ValueError(f"answers has shape {answers.shape}; give ({code_keys.shape[0]}, P)")
    rows, first_column = query_keys.shape[0], 0
    if axis_name is not None:
        first_column = jax.lax.axis_index(axis_name) * code_keys.shape[0]
    if positive is None:
        check_default_positives(rows, code_keys.shape[0])
        positive = jnp.arange(rows, dtype=jnp.int32) + first_column
    of_all_rows = query_keys, positive
    if axis_name is not None:
        gathered = jax.lax.all_gather((code_keys, answers, *of_all_rows), axis_name, tiled=True)
        code_keys, answers, *of_all_rows = gathered
    check_pairs((rows, code_keys.shape[0]), positive=positive)
    return call_with_auto_axes(
        distinct_pairs, query_keys, positive, code_keys, *of_all_rows, answers
    )


def _check_keys(query_keys: Array, code_keys: Array) -> None:
    """Raises unless both are vectors of integers."""
    for name, keys in {"query_keys": query_keys, "code_keys": code_keys}.items():
        if keys.ndim != 1:
            raise ValueError(f"{name} has shape {keys.shape}; give one integer a text")
        if not jnp.issubdtype(keys.dtype, jnp.integer):
            raise TypeError(f"{name} holds {keys.dtype}; give one integer a text")
