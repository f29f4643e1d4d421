"""Soft-InfoNCE block of rows by block of rows: memory O(N·D) instead of O(N²), and exact.

A row of scores has its whole softmax at once, so blocks of rows need nothing of one another. The
forward rule of the custom derivative already forms dq and dc of each block while its scores are
there; the backward rule only scales them. So no score is computed twice and none is kept.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp

from softnce_jax._scores import (
    check_embeddings,
    check_own_columns,
    check_pairs,
    log1p_weighted_sum,
    over_rows,
    reduce_rows,
    scores,
    split_pairs,
    unit_length,
)
from softnce_jax.weights import check_settings, weight_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array
    from jaxtyping import Bool, Float, Int, PyTree

BLOCK = 2**22  # entries of a block's scores: 16 MiB in float32, of which a few are alive at once


class Plan(NamedTuple):
    """What is known when the loss is compiled."""

    read: Callable | None  # from what `Rows.similar` holds to the rows' similarities (R, N)
    mask: Callable | None  # from what `Rows.where` holds to which of their pairs count (R, N)
    height: int  # rows of a block
    cosine: bool
    reduce_fn: Callable | None


class Rows(NamedTuple):
    """What each row has of its own: (R, ...) in a block, (blocks, R, ...) in all of them."""

    q_RD: Array
    positive_R: Array
    counted_R: Array
    coefficient_R: Array  # the derivative of the whole loss by the row's
    where: PyTree  # (R, N) or what a function takes
    similar: PyTree  # features (R, F), similarities (R, N) or what a function takes


class Shared(NamedTuple):
    """What all rows read beside the candidates; no gradient flows into it."""

    eq4: tuple  # alpha, beta, temperature, floor
    masks: tuple  # what the function closes over that makes `where`
    constants: tuple  # what makes similarities of the rows' own: b, or what a function closes over


def blockwise_soft_infonce(
    q: Float[Array, "B D"],
    c: Float[Array, "n D"],
    similarity: Array | tuple[Array, Array] | Callable[[PyTree], Array] | None = None,
    *,
    alpha: float | Float[Array, ""] | None = None,
    beta: float | Float[Array, ""] | None = None,
    temperature: float | Float[Array, ""] | None = None,
    floor: float | Float[Array, ""] = 0.1,
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | Callable[[PyTree], Array] | None = None,
    rows: PyTree = None,
    scale: float | Float[Array, ""] = 1.0,
    cosine: bool = False,
    axis_name: str | tuple[str, ...] | None = None,
    reduce_fn: Callable[..., Array] | None = jnp.mean,
    block_rows: int | None = None,
) -> Float[Array, " ..."]:
    """Soft-InfoNCE with the weights of Eq. 4, without a (B, N) matrix ever existing.

    soft_infonce(q, c, negative_weights(similarity, alpha=..., ...)), value and gradients

    Gradients flow into q, c and scale, as there; not into the similarity. Only reverse mode
    (`jax.grad`, `jax.vjp`) is defined.

    Args:
      q: query embeddings, (B, D).
      c: candidate embeddings, (N, D); under `axis_name` this device's share.
      similarity: an estimator's features (a, b), (B, F) and (N, F), whose product a bᵀ is the
        similarity, b gathered as c is; or a matrix, (B, N); or a function that takes some `rows`
        and returns theirs, (R, N); or None: InfoNCE.
      alpha: of Eq. 4, as in `negative_weights`; needed with a similarity, like the next two.
      beta: of Eq. 4.
      temperature: of Eq. 4.
      floor: smallest weight.
      positive: column of each row's own candidate, as in `soft_infonce`.
      where: which rows count, (B,), or which pairs do, (B, N), as in `soft_infonce`; or a function
        that takes some `rows` and says which of their pairs do, (R, N) booleans.
      rows: what such functions take, arrays of B rows each, R rows at a time; row numbers, (B,)
        int32, by default. Rows that are sharded over devices stay where they are.
      scale: factor on the scores.
      cosine: whether q and c are scaled to unit length first.
      axis_name: the mapped axis over which candidates are gathered, as in `soft_infonce`.
      reduce_fn: a linear function of the rows' losses, `jnp.mean` or `jnp.sum`, called with
        `where=` if `where` is given. None returns the rows' losses; scores are then computed again
        for the gradient.
      block_rows: rows of a block, from 1; by default from N alone. Changes memory, not values.

    Returns:
      A float32 scalar, or (B,) float32 where `reduce_fn` is None.

    Raises:
      ValueError: shapes disagree, there is no negative, or Eq. 4 lacks a value or has no meaning.
      TypeError: `positive` holds no integers or `where` no booleans.

    Example:
      >>> import jax.numpy as jnp
      >>> from softnce_jax import negative_weights, soft_infonce
      >>> q, c, eq4 = jnp.eye(6), 2 * jnp.eye(6), {"alpha": 1.3, "beta": 0.7, "temperature": 1.0}
      >>> a = b = jnp.tri(6)
      >>> dense = soft_infonce(q, c, negative_weights(a @ b.T, **eq4))
      >>> print(f"{blockwise_soft_infonce(q, c, (a, b), block_rows=4, **eq4) - dense:.5f}")
      0.00000

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eqs. 3 and 4.
    """
    check_embeddings(q, c)
    first = 0
    if axis_name is not None:
        first = jax.lax.axis_index(axis_name) * c.shape[0]
    if positive is None:
        check_own_columns(q.shape[0], c.shape[0])
        positive = jnp.arange(q.shape[0], dtype=jnp.int32) + first
    a, b = similarity if isinstance(similarity, tuple) else (similarity, None)
    if axis_name is not None:
        c = jax.lax.all_gather(c, axis_name, tiled=True)
        b = None if b is None else jax.lax.all_gather(b, axis_name, tiled=True)
    shape, eq4 = (q.shape[0], c.shape[0]), (alpha, beta, temperature, floor)
    if a is not None and any(value is None for value in eq4):
        raise ValueError("give alpha, beta and temperature: a similarity is nothing without them")
    matrix = None if b is not None or callable(a) else a
    pairs = None if callable(where) else where
    check_pairs(shape, positive=positive, where=pairs, similarity=matrix)
    if a is not None:
        check_settings(shape[1] - 1, *eq4)
    if rows is None:
        rows = jnp.arange(shape[0], dtype=jnp.int32)
    height = block_rows or max(1, min(shape[0], BLOCK // shape[1]))
    similar, read, constants = _reader(a, b, rows, shape, height)
    counted = where if pairs is not None and where.ndim == 1 else None
    where, mask, masks = _reader(where if counted is None else None, None, rows, shape, height)
    rest = positive, counted, where, similar, Shared(eq4, masks, constants)
    leaves, tree = jax.tree.flatten(rest)
    losses = functools.partial(_losses, Plan(read, mask, height, cosine, reduce_fn), tree)
    return over_rows(losses, q, c, scale, *leaves, scalar=reduce_fn is not None)


def _reader(a, b, rows, shape, height):
    """What rows have of their own, and the function of it and constants that gives (R, N)."""
    if a is None:
        return None, None, ()
    if callable(a):
        from jax.extend.core import ClosedJaxpr, jaxpr_as_fun  # here, for it brings Pallas along

        some = jax.tree.map(lambda x: jnp.zeros((height, *x.shape[1:]), x.dtype), rows)
        closed, found = jax.make_jaxpr(a, return_shape=True)(some)
        if found.shape != (height, shape[1]):
            wanted = height, shape[1]
            raise ValueError(f"a function of {height} rows returned {found.shape}; give {wanted}")

        def read(rows, *constants):
            called = jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, constants))
            return called(*jax.tree.leaves(rows))[0]

        # `jax.closure_convert` leaves integers where they are, and they may be another trace's.
        return rows, read, tuple(closed.consts)
    if b is None:
        return a, lambda x_RN: x_RN, ()
    if a.ndim != 2 or b.ndim != 2 or (len(a), len(b)) != shape or a.shape[1] != b.shape[1]:
        raise ValueError(f"features {a.shape} and {b.shape}: give (B, F), (N, F) for {shape} pairs")
    return a, functools.partial(scores, scale=1.0), (b,)


def _losses(plan, tree, q_BD, c_ND, scale, *leaves):
    """The reduced loss, or every row's."""
    rest = jax.lax.stop_gradient(jax.tree.unflatten(tree, leaves))
    positive_B, counted_B, where, similar, shared = rest
    all_count = counted_B is None and plan.mask is None
    if counted_B is None:
        counted_B = jnp.ones(len(q_BD), bool)
    rows = Rows(None, positive_B, counted_B, None, where, similar)
    if plan.mask is not None:
        counted_B, used_N = _left_in(plan, rows, shared)
        rows = rows._replace(counted_R=counted_B)
        c_ND = jnp.where(used_N[:, None], c_ND, 0)
    if not all_count:
        q_BD = jnp.where(counted_B[:, None], q_BD, 0)
    if plan.cosine:
        q_BD, c_ND = unit_length(q_BD), unit_length(c_ND)
    scale = jnp.asarray(scale, jnp.float32)
    if plan.reduce_fn is None:
        return _every_row(plan, *_varying_alike(q_BD, c_ND, scale), rows, shared)

    def reduced(loss_B):
        return reduce_rows(loss_B, None if all_count else counted_B, plan.reduce_fn)

    coefficient_B = jax.grad(reduced)(jnp.zeros(len(q_BD), jnp.float32))
    return _total(plan, *_varying_alike(coefficient_B, q_BD, c_ND, scale), rows, shared)


def _left_in(plan, rows, shared):
    """The rows that count, and the columns that any of them uses."""

    def step(used_N, rows):
        where_RN = _pairs(plan, rows, shared)
        own_R1 = rows.positive_R[:, None]
        own_R1 = jnp.take_along_axis(where_RN, own_R1, axis=1, mode="fill", fill_value=False)
        return used_N | jnp.any(where_RN & own_R1, axis=0), own_R1[:, 0]

    blocks = _blocks(plan, rows)
    like_N, _ = step(False, jax.tree.map(lambda x: x[0], blocks))
    # None, but varying over mapped axes as what is joined to it does.
    used_N, counted = jax.lax.scan(step, jnp.where(True, False, like_N), blocks)
    return _joined(counted, len(rows.counted_R)), used_N


def _pairs(plan, rows, shared):
    """Which pairs of a block's rows count; none of the rows that fill it up."""
    return plan.mask(rows.where, *shared.masks) & rows.counted_R[:, None]


def _varying_alike(*arrays):
    """The arrays, each varying over all mapped axes over which any does: so do their gradients."""
    all_vary = sum(x.ravel()[0].astype(jnp.float32) for x in arrays)
    return (jnp.where(True, x, all_vary.astype(x.dtype)) for x in arrays)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _total(plan, coefficient_B, *arrays):
    """Σ coefficient · loss over the rows."""
    return jnp.sum(coefficient_B * _sweep(plan, None, *arrays)[0])


def _total_forward(plan, coefficient_B, *arrays):
    loss_B, gradients = _sweep(plan, coefficient_B, *arrays)
    types = [jnp.zeros((), x.dtype) for x in arrays[:3]]
    return jnp.sum(coefficient_B * loss_B), (gradients, types)


def _total_backward(plan, kept, g):
    return None, *_as_types(*kept, g), None, None


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _every_row(plan, *arrays):
    """The rows' losses."""
    return _sweep(plan, None, *arrays)[0]


def _every_row_forward(plan, *arrays):
    return _every_row(plan, *arrays), arrays


def _every_row_backward(plan, arrays, g_B):
    return *_as_types(_sweep(plan, g_B, *arrays)[1], arrays, 1.0), None, None


def _as_types(gradients, arrays, g):
    """The gradients of q, c and scale, times g, in the types of these."""
    return ((g * x).astype(of.dtype) for x, of in zip(gradients, arrays, strict=False))


_total.defvjp(_total_forward, _total_backward)
_every_row.defvjp(_every_row_forward, _every_row_backward)


def _sweep(plan, coefficient_B, q_BD, c_ND, scale, rows, shared):
    """The rows' losses; given coefficients, also (dq, dc, dscale) of Σ coefficient · loss."""

    def step(sums, block):
        product_RN = scores(block.q_RD, c_ND, 1.0)
        losses = functools.partial(_block_losses, plan, block, shared)
        if coefficient_B is None:
            return None, (losses(product_RN, scale), None)
        loss_R, back = jax.vjp(losses, product_RN, scale)
        dproduct_RN, dscale = back(block.coefficient_R)
        dc_ND = _float32_product(dproduct_RN.T, block.q_RD)
        dq_RD = _float32_product(dproduct_RN, c_ND)
        return (sums[0] + dc_ND, sums[1] + dscale), (loss_R, dq_RD)

    blocks = _blocks(plan, rows._replace(q_RD=q_BD, coefficient_R=coefficient_B))
    if coefficient_B is None:
        _, (loss, _) = jax.lax.scan(step, None, blocks)
        return _joined(loss, len(q_BD)), None
    # Zeros that vary over mapped axes as what is added to them does.
    zeros = jnp.where(True, 0, c_ND.astype(jnp.float32)), jnp.where(True, 0, scale)
    (dc_ND, dscale), (loss, dq) = jax.lax.scan(step, zeros, blocks)
    return _joined(loss, len(q_BD)), (_joined(dq, len(q_BD)), dc_ND, dscale)


def _block_losses(plan, block, shared, product_RN, scale):
    """Eq. 3 of a block's rows from the products of their embeddings."""
    where = block.counted_R if plan.mask is None else _pairs(plan, block, shared)
    own_RN, negative_RN, _ = split_pairs(product_RN.shape, block.positive_R, where)
    score_RN = product_RN * scale
    own_R = jnp.sum(jnp.where(own_RN, score_RN, 0), axis=1)
    own_R = jnp.where(jnp.any(own_RN, axis=1), own_R, jnp.nan)
    w_RN = jnp.ones_like(product_RN)
    if plan.read is not None:
        similarity_RN = plan.read(block.similar, *shared.constants)
        w_RN = weight_rows(similarity_RN, block.positive_R, where, *shared.eq4, renormalize=False)
    loss_R = log1p_weighted_sum(score_RN - own_R[:, None], w_RN, negative_RN)
    return jnp.where(block.counted_R, loss_R, 0)


def _blocks(plan, rows):
    """All that rows have, in blocks."""
    return jax.tree.map(functools.partial(_cut, height=plan.height), rows)


def _cut(x_B, *, height):
    """Rows in blocks, (blocks, height, ...), filled up with zeros.

    Block k has rows k, k + blocks, k + 2·blocks, …: rows that are sharded over devices stay where
    they are, for every block has some of each device.
    """
    blocks = -(-len(x_B) // height)
    fill = [(0, blocks * height - len(x_B)), *[(0, 0)] * (x_B.ndim - 1)]
    return jnp.pad(x_B, fill).reshape(height, blocks, *x_B.shape[1:]).swapaxes(0, 1)


def _joined(blocks, rows):
    """What `_cut` cut, as it was."""
    x_B = blocks.swapaxes(0, 1)
    return x_B.reshape(-1, *x_B.shape[2:])[:rows]


def _float32_product(x_RS, y_SD):
    """A product in float32, though y may be narrower: rounding x to its type would show."""
    return jax.lax.dot_general(
        x_RS,
        y_SD,
        (((1,), (0,)), ((), ())),
        precision=jax.lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )
