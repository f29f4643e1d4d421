"""InfoNCE and Soft-InfoNCE: pure functions of embeddings and negative weights.

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

Under `jit` sharded arrays need nothing more. Under `pmap` or `shard_map` name the axis with
`axis_name`, see `soft_infonce`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

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
    check_embeddings(q, c)
    first = 0
    if axis_name is not None:
        first = jax.lax.axis_index(axis_name) * c.shape[0]
    if positive is None:
        check_own_columns(q.shape[0], c.shape[0])
        positive = jnp.arange(q.shape[0], dtype=jnp.int32) + first
    if axis_name is not None:
        c = jax.lax.all_gather(c, axis_name, tiled=True)
    check_pairs((q.shape[0], c.shape[0]), positive=positive, where=where, w=w)
    loss_B, counted_B = over_rows(soft_infonce_rows, q, c, w, positive, where, scale)
    return reduce_rows(loss_B, None if where is None else counted_B, reduce_fn)


def soft_infonce_rows(q_BD, c_ND, w_BN, positive_B, where, scale):
    """The loss of every row, 0 at those left out, and which rows count: two (B,) arrays."""
    shape = (q_BD.shape[0], c_ND.shape[0])
    own_BN, negative_BN, counted_B = split_pairs(shape, positive_B, where)
    if where is not None:
        # Here, not after the product: 0 · NaN in its transpose would reach the other embeddings.
        used_N = jnp.any(negative_BN | (own_BN & counted_B[:, None]), axis=0)
        q_BD = jnp.where(counted_B[:, None], q_BD, 0)
        c_ND = jnp.where(used_N[:, None], c_ND, 0)
    score_BN = scores(q_BD, c_ND, scale)
    w_BN = jnp.ones(shape, jnp.float32) if w_BN is None else w_BN.astype(jnp.float32)
    own_B = jnp.sum(jnp.where(own_BN, score_BN, 0), axis=1)
    own_B = jnp.where(jnp.any(own_BN, axis=1), own_B, jnp.nan)
    loss_B = log1p_weighted_sum(score_BN - own_B[:, None], w_BN, negative_BN)
    return jnp.where(counted_B, loss_B, 0), counted_B


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


def over_rows(function, *arrays):
    """`function(*arrays)`, also on meshes with Explicit axes, rows sharded as in arrays[0].

    Under Explicit axes the product of two sharded matrices, and much else, names no sharding and
    raises. So the function runs with these axes Auto; the `jit` lends it the mesh of its arguments
    where no `jax.set_mesh` does.
    """
    shardings = [jax.typeof(x).sharding for x in arrays if x is not None]
    explicit = [s.mesh for s in shardings if AxisType.Explicit in s.mesh.axis_types]
    if not explicit:
        return function(*arrays)
    out = NamedSharding(explicit[0], PartitionSpec(*shardings[0].spec[:1]))
    axes = explicit[0].explicit_axes
    return jax.jit(jax.sharding.auto_axes(function, axes=axes, out_sharding=out))(*arrays)


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


def check_pairs(shape: tuple[int, int], *, positive=None, where=None, w=None) -> None:
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
    if w is not None and w.shape != shape:
        raise ValueError(f"w has shape {w.shape}; give rows by candidates, {shape}")
