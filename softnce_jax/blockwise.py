"""Soft-InfoNCE one block of rows at a time: memory O(N·D) instead of O(N²), and exact.

A row's loss needs the whole row of scores and no other row, so blocks of whole rows are
independent. The forward rule of the custom derivative already forms dq and dc of each block while
its scores are in memory; the backward rule only scales them. So no score is computed twice and
none is stored.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from softnce_jax._scores import (
    Dim,
    call_with_auto_axes,
    check_default_positives,
    check_embeddings,
    check_pairs,
    log1p_weighted_sum,
    pair_masks,
    reduce_rows,
    scores,
    scores_of_positives,
    unit_length,
)
from softnce_jax.weights import check_weight_settings, weight_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jax import Array
    from jaxtyping import Bool, Float, Int, PyTree

__all__ = ["BLOCK_PAIRS", "blockwise_soft_infonce"]

OPEN_ROWS = 256  # of a block, where `jax.export` leaves the number of rows or candidates open
BLOCK_PAIRS = 2**22  # of a block: its scores take 16 MiB in float32; a few such arrays live at once


class BlockSettings(NamedTuple):
    """What is known when the loss is compiled."""

    similarity_function: Callable | None  # (`BlockRows.similarity`, *constants) -> (R, N)
    where_function: Callable | None  # (`BlockRows.where`, *constants) -> (R, N) booleans
    block_rows: int
    cosine: bool
    reduce_fn: Callable | None


class BlockRows(NamedTuple):
    """What each row brings along: (R, ...) in a block, (blocks, R, ...) in all of them."""

    q_RD: Float[Array, "R D"] | None
    positive_R: Int[Array, " R"]
    counted_R: Bool[Array, " R"]
    coefficient_R: Float[Array, " R"] | None  # the derivative of the whole loss by the row's
    where: PyTree  # (R, N), or what a function takes
    similarity: PyTree  # features (R, F), similarities (R, N), or what a function takes


class SharedInputs(NamedTuple):
    """What all rows read beside the candidates; no gradient flows into it."""

    eq4: tuple  # alpha, beta, temperature, floor
    where_constants: tuple  # what the function of `where` closes over
    similarity_constants: tuple  # b, or what the function of the similarity closes over


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
      >>> import jax, jax.numpy as jnp
      >>> from softnce_jax import negative_weights, soft_infonce
      >>> eq4 = {"alpha": 1.3, "beta": 0.7, "temperature": 1.0}
      >>> @jax.jit
      ... def losses(q, c, a, b):
      ...     dense = soft_infonce(q, c, negative_weights(a @ b.T, **eq4))
      ...     return dense, blockwise_soft_infonce(q, c, (a, b), block_rows=4, **eq4)
      >>> dense, in_blocks = losses(jnp.eye(6), 2 * jnp.eye(6), jnp.tri(6), jnp.tri(6))
      >>> print(f"{dense:.3f} {in_blocks - dense:.5f}")
      0.527 0.00000

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eqs. 3 and 4.
    """
    check_embeddings(q, c)
    first_column = 0
    if axis_name is not None:
        first_column = jax.lax.axis_index(axis_name) * c.shape[0]
    if positive is None:
        check_default_positives(q.shape[0], c.shape[0])
        positive = jnp.arange(q.shape[0], dtype=jnp.int32) + first_column
    a, b = similarity if isinstance(similarity, tuple) else (similarity, None)
    if axis_name is not None:
        c = jax.lax.all_gather(c, axis_name, tiled=True)
        b = None if b is None else jax.lax.all_gather(b, axis_name, tiled=True)
    shape, eq4 = (q.shape[0], c.shape[0]), (alpha, beta, temperature, floor)
    if a is not None and any(value is None for value in eq4):
        raise ValueError("give alpha, beta and temperature: a similarity is nothing without them")
    matrix = None if b is not None or callable(a) else a
    where_array = None if callable(where) else where
    check_pairs(shape, positive=positive, where=where_array, similarity=matrix)
    if a is not None:
        check_weight_settings(shape[1] - 1, *eq4)
    if shape[0] == 0:  # a process's share of the last batch; functions of rows have none to read
        nothing_B = jnp.sum(q.astype(jnp.float32), axis=1)
        return reduce_rows(nothing_B, None if where is None else nothing_B > 0, reduce_fn)
    if rows is None:
        rows = jnp.arange(shape[0], dtype=jnp.int32)
    block_rows = block_rows or _rows_of_a_block(*shape)
    similarity_inputs, similarity_function, similarity_constants = _function_of_rows(
        a, b, rows, shape, block_rows
    )
    # `where` of one dimension says which rows count; of two, or as a function, which pairs do.
    counted = where if where_array is not None and where.ndim == 1 else None
    where_inputs, where_function, where_constants = _function_of_rows(
        where if counted is None else None, None, rows, shape, block_rows
    )
    settings = BlockSettings(similarity_function, where_function, block_rows, cosine, reduce_fn)
    shared = SharedInputs(eq4, where_constants, similarity_constants)
    # As leaves, for `call_with_auto_axes` looks at the sharding of each array.
    leaves, tree = jax.tree.flatten((positive, counted, where_inputs, similarity_inputs, shared))
    loss = functools.partial(_masked_loss, settings, tree)
    return call_with_auto_axes(loss, q, c, scale, *leaves, scalar=reduce_fn is not None)


def _rows_of_a_block(rows: Dim, columns: Dim) -> int:
    """So many that a block has about BLOCK_PAIRS pairs; OPEN_ROWS where a number is symbolic."""
    if not (isinstance(rows, int) and isinstance(columns, int)):
        return OPEN_ROWS
    return max(1, min(rows, BLOCK_PAIRS // columns))


def _function_of_rows(
    a: Array | Callable | None,
    b: Float[Array, "N F"] | None,
    rows: PyTree,
    shape: tuple[Dim, Dim],
    block_rows: int,
) -> tuple[PyTree, Callable[..., Array] | None, tuple]:
    """Arrays of the rows, and a function of a block of these and constants that gives (R, N).

    Args:
      a: features (B, F), a matrix (B, N), a function of some rows, or None.
      b: the candidates' features, if a holds features.
      rows: what a function takes.
      shape: (B, N).
      block_rows: R.

    Returns:
      Arrays with B rows, the function or None, its constants.
    """
    if a is None:
        return None, None, ()
    if callable(a):
        return rows, *_closed(a, rows, shape, block_rows)
    if b is None:
        return a, lambda matrix_RN: matrix_RN, ()
    if a.ndim != 2 or b.ndim != 2 or (a.shape[0], b.shape[0]) != shape or a.shape[1] != b.shape[1]:
        raise ValueError(f"features {a.shape} and {b.shape}: give (B, F), (N, F) for {shape} pairs")
    return a, functools.partial(scores, scale=1.0), (b,)


def _closed(
    function: Callable[[PyTree], Array], rows: PyTree, shape: tuple[Dim, Dim], block_rows: int
) -> tuple[Callable[..., Array], tuple]:
    """The function with what it closes over as arguments, and what it closes over.

    A custom derivative may close over no traced array. `jax.closure_convert` is not enough: it
    leaves integers where they are, and they may belong to another trace.
    """
    from jax.extend.core import ClosedJaxpr, jaxpr_as_fun  # here, for it brings Pallas along

    block = jax.tree.map(lambda x: jnp.zeros((block_rows, *x.shape[1:]), x.dtype), rows)
    closed, returned = jax.make_jaxpr(function, return_shape=True)(block)
    wanted = block_rows, shape[1]
    if returned.shape != wanted:
        raise ValueError(
            f"a function of {block_rows} rows returned {returned.shape}; give {wanted}"
        )

    def call(rows, *constants):
        return jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, constants))(*jax.tree.leaves(rows))[0]

    return call, tuple(closed.consts)


def _masked_loss(
    settings: BlockSettings,
    tree: Any,
    q_BD: Float[Array, "B D"],
    c_ND: Float[Array, "N D"],
    scale: float | Float[Array, ""],
    *leaves: Array,
) -> Float[Array, " ..."]:
    """The reduced loss, or every row's."""
    others = jax.lax.stop_gradient(jax.tree.unflatten(tree, leaves))
    positive_B, counted_B, where, similarity, shared = others
    all_count = counted_B is None and settings.where_function is None
    if counted_B is None:
        counted_B = jnp.ones(q_BD.shape[0], bool)
    rows = BlockRows(None, positive_B, counted_B, None, where, similarity)
    if settings.where_function is not None:
        counted_B, used_N = _used_rows_and_columns(settings, rows, shared)
        rows = rows._replace(counted_R=counted_B)
        c_ND = jnp.where(used_N[:, None], c_ND, 0)
    if not all_count:
        q_BD = jnp.where(counted_B[:, None], q_BD, 0)
    if settings.cosine:
        q_BD, c_ND = unit_length(q_BD), unit_length(c_ND)
    scale = jnp.asarray(scale, jnp.float32)
    if settings.reduce_fn is None:
        return _every_row(settings, *_varying_alike(q_BD, c_ND, scale), rows, shared)

    def reduced(loss_B):
        return reduce_rows(loss_B, None if all_count else counted_B, settings.reduce_fn)

    # `reduce_fn` is linear, so its derivative is known before any loss is.
    coefficient_B = jax.grad(reduced)(jnp.zeros(q_BD.shape[0], jnp.float32))
    return _total(settings, *_varying_alike(coefficient_B, q_BD, c_ND, scale), rows, shared)


def _used_rows_and_columns(
    settings: BlockSettings, rows: BlockRows, shared: SharedInputs
) -> tuple[Bool[Array, " B"], Bool[Array, " N"]]:
    """The rows that count, and the columns that any of them uses."""

    def step(used_N, rows):
        where_RN = _where_pairs(settings, rows, shared)
        counted_R1 = jnp.take_along_axis(
            where_RN, rows.positive_R[:, None], axis=1, mode="fill", fill_value=False
        )
        return used_N | jnp.any(where_RN & counted_R1, axis=0), counted_R1[:, 0]

    blocks = _blocks(settings, rows)
    like_N, _ = step(False, jax.tree.map(lambda x: x[0], blocks))
    # All False, but varying over mapped axes as what is joined to it does.
    used_N, counted = jax.lax.scan(step, jnp.where(True, False, like_N), blocks)
    return _join(counted, rows.counted_R.shape[0]), used_N


def _where_pairs(
    settings: BlockSettings, rows: BlockRows, shared: SharedInputs
) -> Bool[Array, "R N"]:
    """Which pairs of a block's rows count; none of the rows that fill it up."""
    where_RN = settings.where_function(rows.where, *shared.where_constants)
    return where_RN & rows.counted_R[:, None]


def _varying_alike(*arrays: Array) -> Iterator[Array]:
    """The arrays, each varying over all mapped axes over which any does: so do their gradients."""
    all_vary = sum(x.ravel()[0].astype(jnp.float32) for x in arrays)
    return (jnp.where(True, x, all_vary.astype(x.dtype)) for x in arrays)


# The custom derivatives: of the reduced loss, whose coefficients are known beforehand, and of the
# rows' losses, whose are not.


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _total(settings, coefficient_B, *arrays):
    """Σ coefficient · loss over the rows."""
    return jnp.sum(coefficient_B * _scan_blocks(settings, None, *arrays)[0])


def _total_forward(settings, coefficient_B, *arrays):
    loss_B, gradients = _scan_blocks(settings, coefficient_B, *arrays)
    types = [jnp.zeros((), x.dtype) for x in arrays[:3]]
    return jnp.sum(coefficient_B * loss_B), (gradients, types)


def _total_backward(settings, residuals, g):
    return None, *_scaled_in_types(*residuals, g), None, None


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _every_row(settings, *arrays):
    """The rows' losses."""
    return _scan_blocks(settings, None, *arrays)[0]


def _every_row_forward(settings, *arrays):
    return _every_row(settings, *arrays), arrays


def _every_row_backward(settings, arrays, g_B):
    gradients = _scan_blocks(settings, g_B, *arrays)[1]
    return *_scaled_in_types(gradients, arrays, 1.0), None, None


def _scaled_in_types(gradients, arrays, g) -> Iterator[Array]:
    """The gradients of q, c and scale, times g, in the types of these."""
    return ((g * x).astype(array.dtype) for x, array in zip(gradients, arrays, strict=False))


_total.defvjp(_total_forward, _total_backward)
_every_row.defvjp(_every_row_forward, _every_row_backward)


def _scan_blocks(
    settings: BlockSettings,
    coefficient_B: Float[Array, " B"] | None,
    q_BD: Float[Array, "B D"],
    c_ND: Float[Array, "N D"],
    scale: Float[Array, ""],
    rows: BlockRows,
    shared: SharedInputs,
) -> tuple[Float[Array, " B"], tuple[Array, Array, Array] | None]:
    """The rows' losses; given coefficients, also (dq, dc, dscale) of Σ coefficient · loss."""

    def step(sums, block):
        product_RN = scores(block.q_RD, c_ND, 1.0)
        losses = functools.partial(_block_losses, settings, block, shared)
        if coefficient_B is None:
            return None, (losses(product_RN, scale), None)
        loss_R, vjp = jax.vjp(losses, product_RN, scale)
        dproduct_RN, dscale = vjp(block.coefficient_R)
        dc_ND = _float32_product(dproduct_RN.T, block.q_RD)
        dq_RD = _float32_product(dproduct_RN, c_ND)
        return (sums[0] + dc_ND, sums[1] + dscale), (loss_R, dq_RD)

    blocks = _blocks(settings, rows._replace(q_RD=q_BD, coefficient_R=coefficient_B))
    if coefficient_B is None:
        _, (loss, _) = jax.lax.scan(step, None, blocks)
        return _join(loss, q_BD.shape[0]), None
    # Zeros that vary over mapped axes as what is added to them does.
    zeros = jnp.where(True, 0, c_ND.astype(jnp.float32)), jnp.where(True, 0, scale)
    (dc_ND, dscale), (loss, dq) = jax.lax.scan(step, zeros, blocks)
    return _join(loss, q_BD.shape[0]), (_join(dq, q_BD.shape[0]), dc_ND, dscale)


def _block_losses(
    settings: BlockSettings,
    block: BlockRows,
    shared: SharedInputs,
    product_RN: Float[Array, "R N"],
    scale: Float[Array, ""],
) -> Float[Array, " R"]:
    """Eq. 3 of a block's rows from the products of their embeddings."""
    where = block.counted_R
    if settings.where_function is not None:
        where = _where_pairs(settings, block, shared)
    is_positive_RN, is_negative_RN, _ = pair_masks(product_RN.shape, block.positive_R, where)
    score_RN = product_RN * scale
    positive_score_R = scores_of_positives(score_RN, is_positive_RN)
    w_RN = jnp.ones_like(product_RN)
    if settings.similarity_function is not None:
        similarity_RN = settings.similarity_function(block.similarity, *shared.similarity_constants)
        w_RN = weight_rows(similarity_RN, block.positive_R, where, *shared.eq4, renormalize=False)
    loss_R = log1p_weighted_sum(score_RN - positive_score_R[:, None], w_RN, is_negative_RN)
    return jnp.where(block.counted_R, loss_R, 0)


def _blocks(settings: BlockSettings, rows: BlockRows) -> BlockRows:
    """What the rows bring along, in blocks."""
    return jax.tree.map(functools.partial(_split, block_rows=settings.block_rows), rows)


def _split(x_B: Array, *, block_rows: int) -> Array:
    """Rows in blocks, (blocks, R, ...), filled up with zeros.

    Block k has rows k, k + blocks, k + 2·blocks, …: rows that are sharded over devices stay where
    they are, for every block has some of each device.
    """
    blocks = -(-x_B.shape[0] // block_rows)
    fill = [(0, blocks * block_rows - x_B.shape[0]), *[(0, 0)] * (x_B.ndim - 1)]
    return jnp.pad(x_B, fill).reshape(block_rows, blocks, *x_B.shape[1:]).swapaxes(0, 1)


def _join(blocks: Array, rows: Dim) -> Array:
    """The inverse of `_split`: the first `rows` rows, in their order."""
    x_B = blocks.swapaxes(0, 1)
    return x_B.reshape(-1, *x_B.shape[2:])[:rows]


def _float32_product(x_RS: Float[Array, "R S"], y_SD: Float[Array, "S D"]) -> Float[Array, "R D"]:
    """A product in float32, though y may be narrower: rounding x to its type would show."""
    return jax.lax.dot_general(
        x_RS,
        y_SD,
        (((1,), (0,)), ((), ())),
        precision=jax.lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )
