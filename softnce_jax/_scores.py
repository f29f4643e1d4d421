"""What all losses share: argument validation, scores and their masks, stable sums, reduction.

The path of a loss is `compute_loss`: check the arguments, gather the candidates of all devices,
mask what does not count, score, call the row function of the loss, reduce.
"""

from __future__ import annotations

import functools
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array
    from jaxtyping import Bool, Float, Int, Num


Dim = Any  # of an array: an int, or symbolic under `jax.export`


class PairScores(NamedTuple):
    """The scores of a batch, and what each pair is to its row."""

    score_BN: Float[Array, "B N"]  # float32
    positive_score_B: Float[Array, " B"]  # the score of the row's positive, float32
    is_positive_BN: Bool[Array, "B N"]
    is_negative_BN: Bool[Array, "B N"]  # the negatives that `where` leaves in
    counted_B: Bool[Array, " B"]  # the rows that count
    positive_B: Int[Array, " B"]  # the column of the row's positive

    @property
    def relative_BN(self) -> Float[Array, "B N"]:
        """Each score minus that of its row's positive."""
        return self.score_BN - self.positive_score_B[:, None]


# Argument validation. What takes the value of a symbolic dimension, known only at run time, is
# left unchecked.


def is_smaller(size: Dim, other: Dim) -> bool:
    """Whether a dimension is below another, False where one is symbolic.

    Example:
      >>> (b,) = jax.export.symbolic_shape("b")
      >>> is_smaller(2, 3), is_smaller(b, 3)
      (True, False)
    """
    return isinstance(size, Integral) and isinstance(other, Integral) and size < other


def check_embeddings(q: Array, c: Array) -> None:
    """Raises unless q is (B, D) and c (N, D)."""
    if q.ndim != 2 or c.ndim != 2:
        raise ValueError(f"q and c are matrices, (B, D) and (N, D); got {q.shape} and {c.shape}")
    if q.shape[1] != c.shape[1]:
        raise ValueError(f"q has {q.shape[1]} dimensions, c has {c.shape[1]}; give both the same")


def check_default_positives(rows: Dim, columns: Dim) -> None:
    """Raises unless column i exists for every row i, whose positive it is by default."""
    if is_smaller(columns, rows):
        raise ValueError(
            f"{rows} rows but {columns} candidates: the positive of row i is column i unless "
            "`positive` names another"
        )


def check_pairs(
    shape: tuple[Dim, Dim],
    *,
    positive: Array | None = None,
    where: Array | None = None,
    **targets: Array | None,
) -> None:
    """Raises unless the arrays beside a (B, N) score matrix fit it and it has a negative."""
    rows, columns = shape
    if is_smaller(columns, 2):
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


# From embeddings to the reduced loss.


def compute_loss(
    row_function: Callable[..., Array],
    q: Float[Array, "B D"],
    c: Float[Array, "n D"],
    *numbers: float | Float[Array, ""],
    target: dict[str, Array | None],
    positive: Int[Array, " B"] | None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None,
    scale: float | Float[Array, ""],
    axis_name: str | tuple[str, ...] | None,
    reduce_fn: Callable[..., Array] | None,
    cosine: bool = False,
) -> Float[Array, " ..."]:
    """The loss whose rows are `row_function(pairs, target, *numbers)`, pairs being `PairScores`.

    `target` is the (B, N) matrix that the loss reads beside the scores, or None, under its name.
    """
    check_embeddings(q, c)
    first_column = 0
    if axis_name is not None:
        first_column = jax.lax.axis_index(axis_name) * c.shape[0]
    if positive is None:
        check_default_positives(q.shape[0], c.shape[0])
        positive = jnp.arange(q.shape[0], dtype=jnp.int32) + first_column
    if axis_name is not None:
        c = jax.lax.all_gather(c, axis_name, tiled=True)
    check_pairs((q.shape[0], c.shape[0]), positive=positive, where=where, **target)
    losses = functools.partial(masked_losses, row_function, cosine)
    (matrix,) = target.values()
    loss_B, counted_B = call_with_auto_axes(losses, q, c, positive, where, scale, matrix, *numbers)
    return reduce_rows(loss_B, None if where is None else counted_B, reduce_fn)


def masked_losses(
    row_function: Callable[..., Array],
    cosine: bool,
    q_BD: Float[Array, "B D"],
    c_ND: Float[Array, "N D"],
    positive_B: Int[Array, " B"],
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None,
    scale: float | Float[Array, ""],
    target_BN: Float[Array, "B N"] | None,
    *numbers: float | Float[Array, ""],
) -> tuple[Float[Array, " B"], Bool[Array, " B"]]:
    """The loss of every row, 0 at those left out, and which rows count."""
    shape = (q_BD.shape[0], c_ND.shape[0])
    is_positive_BN, is_negative_BN, counted_B = pair_masks(shape, positive_B, where)
    if where is not None:
        # Embeddings that do not count become 0 before the product. A mask after it would not do:
        # the transpose of the product multiplies their NaN by 0, which is NaN in the gradients of
        # all other embeddings.
        used_N = jnp.any(is_negative_BN | (is_positive_BN & counted_B[:, None]), axis=0)
        q_BD = jnp.where(counted_B[:, None], q_BD, 0)
        c_ND = jnp.where(used_N[:, None], c_ND, 0)
    if cosine:
        q_BD, c_ND = unit_length(q_BD), unit_length(c_ND)
    score_BN = scores(q_BD, c_ND, scale)
    positive_score_B = scores_of_positives(score_BN, is_positive_BN)
    pairs = PairScores(
        score_BN, positive_score_B, is_positive_BN, is_negative_BN, counted_B, positive_B
    )
    if target_BN is not None:
        target_BN = target_BN.astype(jnp.float32)
    return jnp.where(counted_B, row_function(pairs, target_BN, *numbers), 0), counted_B


def scores(
    q_BD: Float[Array, "B D"], c_ND: Float[Array, "N D"], scale: float | Float[Array, ""]
) -> Float[Array, "B N"]:
    """The scores scale · q cᵀ in float32, in the full precision of the input type."""
    product_BN = jnp.einsum(
        "bd,nd->bn",
        q_BD,
        c_ND,
        precision=jax.lax.Precision.HIGHEST,  # by default GPU and TPU round float32 inputs
        preferred_element_type=jnp.float32,
    )
    return product_BN * jnp.asarray(scale, jnp.float32)


def scores_of_positives(
    score_BN: Float[Array, "B N"], is_positive_BN: Bool[Array, "B N"]
) -> Float[Array, " B"]:
    """The score of each row's positive; NaN where its column does not exist.

    A masked sum, not a gather: the columns may be sharded.
    """
    score_B = jnp.sum(jnp.where(is_positive_BN, score_BN, 0), axis=1)
    return jnp.where(jnp.any(is_positive_BN, axis=1), score_B, jnp.nan)


def unit_length(x_RD: Num[Array, "R D"]) -> Float[Array, "R D"]:
    """Rows divided by their lengths, in float32; a row of zeros stays, with gradient 0.

    Below the smallest normal float32, 1.2e-38, CPUs and TPUs take numbers for 0, and so does this.

    Example:
      >>> unit_length(jnp.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
      [[0.6, 0.8], [0.0, 0.0]]
    """
    x_RD = x_RD.astype(jnp.float32)
    # Squares of 1e20 overflow, those of 1e-20 vanish. So each row is first divided by a power of
    # two near its largest entry: such a division is exact, and the result has the bits that
    # x / |x| has where no square overflows or vanishes. The power is the largest entry without the
    # bits of its mantissa, at most 2^126: XLA multiplies by the reciprocal, and that of 2^127 is
    # no normal number.
    largest_R1 = jnp.max(jnp.abs(jax.lax.stop_gradient(x_RD)), axis=1, keepdims=True)
    exponent_R1 = jax.lax.bitcast_convert_type(largest_R1, jnp.uint32) & 0x7F800000
    power_R1 = jax.lax.bitcast_convert_type(exponent_R1, jnp.float32)
    x_RD = x_RD / jnp.clip(power_R1, 2.0**-126, 2.0**126)
    squared_R1 = jnp.sum(x_RD**2, axis=1, keepdims=True)
    is_zero_R1 = squared_R1 == 0  # False for NaN, which stays
    return jnp.where(is_zero_R1, 0, x_RD * jax.lax.rsqrt(jnp.where(is_zero_R1, 1, squared_R1)))


def pair_masks(
    shape: tuple[Dim, Dim],
    positive_B: Int[Array, " B"],
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None,
) -> tuple[Bool[Array, "B N"], Bool[Array, "B N"], Bool[Array, " B"]]:
    """Where each row's positive is, its valid negatives, and which rows count."""
    column_1N = jnp.arange(shape[1], dtype=jnp.int32)[None, :]
    is_positive_BN = column_1N == positive_B.astype(jnp.int32)[:, None]
    if where is None:
        counted_B, where_BN = jnp.ones(shape[:1], bool), jnp.ones(shape, bool)
    elif where.ndim == 1:
        counted_B, where_BN = where, jnp.ones(shape, bool)
    else:
        counted_B, where_BN = jnp.any(where & is_positive_BN, axis=1), where
    return is_positive_BN, where_BN & ~is_positive_BN & counted_B[:, None], counted_B


def distinct_pairs(
    query_B: Int[Array, " B"],
    positive_B: Int[Array, " B"],
    code_N: Int[Array, " N"],
    all_queries: Int[Array, " G"],
    all_positives: Int[Array, " G"],
    answer_NP: Int[Array, "N P"] | None,
) -> Bool[Array, "B N"]:
    """False where a candidate that is not the row's positive answers its query, too.

    Args:
      query_B: a key of each row's query, equal where the texts are.
      positive_B: the column of each row's positive.
      code_N: a key of each candidate.
      all_queries: the keys of the queries of all G rows of the global batch.
      all_positives: the columns of their positives.
      answer_NP: keys of the queries that each candidate answers.
    """
    is_positive_BN = jnp.arange(code_N.shape[0])[None, :] == positive_B[:, None]
    same_code_BN = code_N[None, :] == jnp.take(code_N, positive_B, mode="clip")[:, None]
    same_query_BG = query_B[:, None] == all_queries[None, :]
    # Several rows may share a positive; one of them with the same query is enough.
    same_query_BN = jnp.zeros_like(is_positive_BN).at[:, all_positives].max(same_query_BG)
    if answer_NP is not None:
        same_query_BN |= jnp.any(query_B[:, None, None] == answer_NP[None], axis=2)
    return is_positive_BN | ~(same_code_BN | same_query_BN)


def reduce_rows(
    loss_B: Float[Array, " B"],
    counted_B: Bool[Array, " B"] | None,
    reduce_fn: Callable[..., Array] | None,
) -> Float[Array, " ..."]:
    """`reduce_fn` over the rows that count; over the zeros of all rows where none does."""
    if reduce_fn is None:
        return loss_B
    if counted_B is None:
        return reduce_fn(loss_B)
    return reduce_fn(loss_B, where=counted_B | ~jnp.any(counted_B))


def call_with_auto_axes(function: Callable[..., Any], *arrays: Any, scalar: bool = False) -> Any:
    """`function(*arrays)`, also on meshes with Explicit axes, rows sharded as in arrays[0].

    The function returns an array of rows, or with `scalar` one number.

    Under Explicit axes the product of two sharded matrices, and much else, names no sharding and
    raises. So the function runs with these axes Auto; the `jit` lends it the mesh of its arguments
    where no `jax.set_mesh` does.
    """
    shardings = [jax.typeof(x).sharding for x in arrays if x is not None]
    explicit = [s.mesh for s in shardings if AxisType.Explicit in s.mesh.axis_types]
    if not explicit:
        return function(*arrays)
    row_axes = () if scalar else shardings[0].spec[:1]
    out = NamedSharding(explicit[0], PartitionSpec(*row_axes))
    axes = explicit[0].explicit_axes
    return jax.jit(jax.sharding.auto_axes(function, axes=axes, out_sharding=out))(*arrays)


# Stable sums.


def log1p_weighted_sum(
    x_BN: Float[Array, "B N"], w_BN: Float[Array, "B N"], mask_BN: Bool[Array, "B N"]
) -> Float[Array, " B"]:
    """log( 1 + Σ w e^x ) over each row's masked-in entries: negatives, relative to the positive."""
    x_BN = jnp.where(mask_BN, x_BN, 0)
    w_BN = jnp.where(mask_BN, w_BN, 0)
    # log 0 = −∞: a weight of 0 sets no shift, for that would push the others below e^−88. The shift
    # is a constant: its gradient would cancel.
    log_w_BN = jnp.minimum(jnp.log(jax.lax.stop_gradient(w_BN)), 80.0)
    shift_B = jnp.max(jax.lax.stop_gradient(x_BN) + log_w_BN, axis=1, initial=0.0)
    # Only weights of 0 can lie more than 88 above it, and e^88 · 0 = 0 where e^89 · 0 = NaN.
    e_BN = jnp.exp(jnp.minimum(x_BN - shift_B[:, None], 88.0))
    # log1p, for without a shift the sum may be tiny beside 1.
    return shift_B + jnp.log1p(jnp.expm1(-shift_B) + jnp.sum(w_BN * e_BN, axis=1))


def masked_logsumexp(x_BN: Float[Array, "B N"], mask_BN: Bool[Array, "B N"]) -> Float[Array, " B"]:
    """Log Σ e^x over each row's masked-in entries; 0 where there are none.

    Every `where` stands before the function whose gradient would be NaN at a masked-out entry.
    """
    has_any_B = jnp.any(mask_BN, axis=1)
    x_BN = jnp.where(mask_BN, x_BN, 0)
    max_B = jnp.max(jax.lax.stop_gradient(jnp.where(mask_BN, x_BN, -jnp.inf)), axis=1)
    max_B = jnp.where(has_any_B, max_B, 0)
    e_BN = jnp.where(mask_BN, jnp.exp(jnp.where(mask_BN, x_BN - max_B[:, None], 0)), 0)
    return max_B + jnp.log(jnp.where(has_any_B, jnp.sum(e_BN, axis=1), 1))


def log_softmax_and_complement(
    x_BN: Float[Array, "B N"], mask_BN: Bool[Array, "B N"]
) -> tuple[Float[Array, "B N"], Float[Array, "B N"]]:
    """Log p and log(1 − p), p the softmax over each row's masked-in entries, of which it needs two.

    A p that rounds to 1 keeps its 1 − p: it is the sum of the others' p. Only a row's largest entry
    can have more than half.
    """
    x_BN = jnp.where(mask_BN, x_BN, 0)
    largest_B = jnp.argmax(jnp.where(mask_BN, x_BN, -jnp.inf), axis=1)
    is_largest_BN = jnp.arange(x_BN.shape[1])[None, :] == largest_B[:, None]
    x_BN = x_BN - jnp.sum(jnp.where(is_largest_BN, x_BN, 0), axis=1, keepdims=True)
    is_other_BN = mask_BN & ~is_largest_BN
    # With the largest entry at 0, log Σ e^x = softplus(log Σ e^x over the others).
    others_B1 = masked_logsumexp(x_BN, is_other_BN)[:, None]
    log_p_BN = x_BN - jax.nn.softplus(others_B1)
    p_BN = jnp.exp(jnp.where(is_other_BN, log_p_BN, -1))  # log1p(−1) has no gradient
    log_rest_BN = jnp.where(is_largest_BN, -jax.nn.softplus(-others_B1), jnp.log1p(-p_BN))
    return log_p_BN, log_rest_BN
