"""What all losses share: argument validation, scores and their masks, stable sums, reduction."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array


def check_embeddings(q, c) -> None:
    """Raises unless q is (B, D) and c (N, D)."""
    if q.ndim != 2 or c.ndim != 2:
        raise ValueError(f"q and c are matrices, (B, D) and (N, D); got {q.shape} and {c.shape}")
    if q.shape[1] != c.shape[1]:
        raise ValueError(f"q has {q.shape[1]} dimensions, c has {c.shape[1]}; give both the same")


def check_own_columns(rows: int, columns: int) -> None:
    """Raises unless every row has a column of its own to be its positive by default."""
    if columns < rows:
        raise ValueError(
            f"{rows} rows but {columns} candidates: row i's own candidate is column i unless "
            "`positive` names another"
        )


def check_pairs(shape: tuple[int, int], *, positive=None, where=None, **targets) -> None:
    """Raises unless the arrays beside a (B, N) score matrix fit it and it has a negative."""
    rows, columns = shape
    if columns < 2:
        raise ValueError(f"{rows} rows and {columns} candidate: no negatives; give 2 candidates")
    if positive is not None and positive.shape != (rows,):
        raise ValueError(f"positive has shape {positive.shape}; give one column a row, ({rows},)")
    if positive is not None and not jnp.issubdtype(positive.dtype, jnp.integer):
        raise TypeError(f"positive holds {positive.dtype}; give integer columns")
    if where is not None and where.shape not in ((rows,), shape):
        raise ValueError(f"where has shape {where.shape}; give ({rows},) or {shape}")
    if where is not None and where.dtype != bool:
        raise TypeError(f"where holds {where.dtype}; give booleans, for instance mask > 0")
    for name, target in targets.items():
        if target is not None and target.shape != shape:
            raise ValueError(f"{name} has shape {target.shape}; give rows by candidates, {shape}")


class Rows(NamedTuple):
    """The scores of a batch and what each of them is to its row."""

    score_BN: Array  # float32
    own_B: Array  # the score of the row's own candidate, float32
    own_BN: Array  # which column that is
    negative_BN: Array  # the columns of the row's valid negatives
    counted_B: Array  # the rows that count
    positive_B: Array  # the own column's number

    @property
    def above_BN(self) -> Array:
        """By how much each score lies above that of the row's own candidate."""
        return self.score_BN - self.own_B[:, None]


def loss_of(
    function: Callable[..., Array],
    q: Array,
    c: Array,
    *numbers: float | Array,
    target: dict[str, Array | None],
    positive: Array | None,
    where: Array | None,
    scale: float | Array,
    axis_name: str | tuple[str, ...] | None,
    reduce_fn: Callable[..., Array] | None,
    cosine: bool = False,
) -> Array:
    """The loss whose rows are `function(rows, target, *numbers)`: check, gather, mask, reduce.

    `target` is the (B, N) matrix that the loss reads beside the scores, or None, under its name.
    """
    check_embeddings(q, c)
    first = 0
    if axis_name is not None:
        first = jax.lax.axis_index(axis_name) * c.shape[0]
    if positive is None:
        check_own_columns(q.shape[0], c.shape[0])
        positive = jnp.arange(q.shape[0], dtype=jnp.int32) + first
    if axis_name is not None:
        c = jax.lax.all_gather(c, axis_name, tiled=True)
    check_pairs((q.shape[0], c.shape[0]), positive=positive, where=where, **target)
    losses = functools.partial(counted_losses, function, cosine)
    (matrix,) = target.values()
    loss_B, counted_B = over_rows(losses, q, c, positive, where, scale, matrix, *numbers)
    return reduce_rows(loss_B, None if where is None else counted_B, reduce_fn)


def counted_losses(function, cosine, q_BD, c_ND, positive_B, where, scale, matrix_BN, *numbers):
    """The loss of every row, 0 at those left out, and which rows count: two (B,) arrays."""
    own_BN, negative_BN, counted_B = split_pairs((q_BD.shape[0], c_ND.shape[0]), positive_B, where)
    if where is not None:
        # Here, not after the product: 0 · NaN in its transpose would reach the other embeddings.
        used_N = jnp.any(negative_BN | (own_BN & counted_B[:, None]), axis=0)
        q_BD = jnp.where(counted_B[:, None], q_BD, 0)
        c_ND = jnp.where(used_N[:, None], c_ND, 0)
    if cosine:
        q_BD, c_ND = unit_length(q_BD), unit_length(c_ND)
    score_BN = scores(q_BD, c_ND, scale)
    own_B = jnp.sum(jnp.where(own_BN, score_BN, 0), axis=1)
    own_B = jnp.where(jnp.any(own_BN, axis=1), own_B, jnp.nan)
    rows = Rows(score_BN, own_B, own_BN, negative_BN, counted_B, positive_B)
    if matrix_BN is not None:
        matrix_BN = matrix_BN.astype(jnp.float32)
    return jnp.where(counted_B, function(rows, matrix_BN, *numbers), 0), counted_B


def scores(q_BD, c_ND, scale):
    """The scores scale · q cᵀ in float32, in the full precision of the input type."""
    product_BN = jnp.einsum(
        "bd,nd->bn",
        q_BD,
        c_ND,
        precision=jax.lax.Precision.HIGHEST,  # by default GPU and TPU round float32 inputs
        preferred_element_type=jnp.float32,
    )
    return product_BN * jnp.asarray(scale, jnp.float32)


def unit_length(x_RD):
    """Rows divided by their lengths, in float32; a row of zeros stays, with gradient 0."""
    x_RD = x_RD.astype(jnp.float32)
    # Divided by a power of two near its largest entry a row has squares that neither overflow nor
    # vanish, and no other bits: such a division is exact.
    largest_R1 = jnp.max(jnp.abs(jax.lax.stop_gradient(x_RD)), axis=1, keepdims=True)
    exponent_R1 = jax.lax.bitcast_convert_type(largest_R1, jnp.uint32) & 0x7F800000
    power_R1 = jax.lax.bitcast_convert_type(exponent_R1, jnp.float32)
    x_RD = x_RD / jnp.maximum(power_R1, jnp.finfo(jnp.float32).tiny)
    squared_R1 = jnp.sum(x_RD**2, axis=1, keepdims=True)
    zero_R1 = squared_R1 == 0  # False for NaN, which stays
    return jnp.where(zero_R1, 0, x_RD * jax.lax.rsqrt(jnp.where(zero_R1, 1, squared_R1)))


def split_pairs(shape, positive_B, where):
    """Each row's own candidate (B, N), its valid negatives (B, N), and the rows that count (B,)."""
    column_1N = jnp.arange(shape[1], dtype=jnp.int32)[None, :]
    own_BN = column_1N == positive_B.astype(jnp.int32)[:, None]
    if where is None:
        counted_B, where_BN = jnp.ones(shape[:1], bool), jnp.ones(shape, bool)
    elif where.ndim == 1:
        counted_B, where_BN = where, jnp.ones(shape, bool)
    else:
        counted_B, where_BN = jnp.any(where & own_BN, axis=1), where
    return own_BN, where_BN & ~own_BN & counted_B[:, None], counted_B


def reduce_rows(loss_B, counted_B, reduce_fn):
    """`reduce_fn` over the rows that count; over the zeros of all rows where none does."""
    if reduce_fn is None:
        return loss_B
    if counted_B is None:
        return reduce_fn(loss_B)
    return reduce_fn(loss_B, where=counted_B | ~jnp.any(counted_B))


def over_rows(function, *arrays, scalar=False):
    """`function(*arrays)`, also on meshes with Explicit axes, rows sharded as in arrays[0].

    The function gives an array of rows, or with `scalar` one number.

    Under Explicit axes the product of two sharded matrices, and much else, names no sharding and
    raises. So the function runs with these axes Auto; the `jit` lends it the mesh of its arguments
    where no `jax.set_mesh` does.
    """
    shardings = [jax.typeof(x).sharding for x in arrays if x is not None]
    explicit = [s.mesh for s in shardings if AxisType.Explicit in s.mesh.axis_types]
    if not explicit:
        return function(*arrays)
    rows = () if scalar else shardings[0].spec[:1]
    out = NamedSharding(explicit[0], PartitionSpec(*rows))
    axes = explicit[0].explicit_axes
    return jax.jit(jax.sharding.auto_axes(function, axes=axes, out_sharding=out))(*arrays)


def log1p_weighted_sum(x_BN, w_BN, negative_BN):
    """log( 1 + Σ w e^x ) over each row's negatives, x being the score above the positive's."""
    x_BN = jnp.where(negative_BN, x_BN, 0)
    w_BN = jnp.where(negative_BN, w_BN, 0)
    # log 0 = −∞: a weight of 0 sets no shift, for that would push the others below e^−88. The shift
    # is a constant: its gradient would cancel.
    log_w_BN = jnp.minimum(jnp.log(jax.lax.stop_gradient(w_BN)), 80.0)
    shift_B = jnp.max(jax.lax.stop_gradient(x_BN) + log_w_BN, axis=1, initial=0.0)
    # Only weights of 0 can lie more than 88 above it, and e^88 · 0 = 0 where e^89 · 0 = NaN.
    e_BN = jnp.exp(jnp.minimum(x_BN - shift_B[:, None], 88.0))
    # log1p, for without a shift the sum may be tiny beside 1.
    return shift_B + jnp.log1p(jnp.expm1(-shift_B) + jnp.sum(w_BN * e_BN, axis=1))


def log_sum(x_BN, mask_BN):
    """Sums log Σ e^x over each row's masked-in entries; 0 where there are none."""
    some_B = jnp.any(mask_BN, axis=1)
    x_BN = jnp.where(mask_BN, x_BN, 0)
    top_B = jnp.max(jax.lax.stop_gradient(jnp.where(mask_BN, x_BN, -jnp.inf)), axis=1)
    top_B = jnp.where(some_B, top_B, 0)
    e_BN = jnp.where(mask_BN, jnp.exp(jnp.where(mask_BN, x_BN - top_B[:, None], 0)), 0)
    return top_B + jnp.log(jnp.where(some_B, jnp.sum(e_BN, axis=1), 1))


def log_shares(x_BN, mask_BN):
    """Logarithms of x and 1 − x, the shares x = e^x_j / Σ e^x_k of its row, both (B, N).

    A share that rounds to 1 keeps its 1 − x: it is the others' share. Only a row's largest entry
    can have more than half. A row needs two masked-in entries.
    """
    x_BN = jnp.where(mask_BN, x_BN, 0)
    largest_B = jnp.argmax(jnp.where(mask_BN, x_BN, -jnp.inf), axis=1)
    largest_BN = jnp.arange(x_BN.shape[1])[None, :] == largest_B[:, None]
    below_BN = x_BN - jnp.sum(jnp.where(largest_BN, x_BN, 0), axis=1, keepdims=True)
    others_BN = mask_BN & ~largest_BN
    others_B1 = log_sum(below_BN, others_BN)[:, None]  # over the largest entry's 0
    share_BN = below_BN - jax.nn.softplus(others_B1)
    small_BN = jnp.exp(jnp.where(others_BN, share_BN, -1))  # log1p(−1) has no gradient
    rest_BN = jnp.where(largest_BN, -jax.nn.softplus(-others_B1), jnp.log1p(-small_BN))
    return share_BN, rest_BN
