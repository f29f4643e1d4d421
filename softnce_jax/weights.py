"""From a similarity to the weights of negatives (Eq. 4), and diagnostics of weights."""

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
    check_pairs,
    is_smaller,
    pair_masks,
)

if TYPE_CHECKING:
    from jax import Array
    from jaxtyping import Bool, Float, Int

__all__ = ["negative_distribution", "negative_weights", "weight_diagnostics"]


def negative_weights(
    similarity: Float[Array, "B N"],
    *,
    alpha: float | Float[Array, ""],
    beta: float | Float[Array, ""],
    temperature: float | Float[Array, ""],
    floor: float | Float[Array, ""] = 0.1,
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None = None,
    renormalize: bool = False,
) -> Float[Array, "B N"]:
    """The weights of a batch's negatives: the more similar, the lighter.

    p_ij = softmax over row i's m negatives of similarity_ij / temperature
    w_ij = max( floor, (beta − alpha p_ij) / (beta − alpha / m) )

    Before the floor a row's weights have mean 1. A single negative has weight 1 whatever alpha
    and beta. No gradient flows through the weights.

    Args:
      similarity: an estimator's similarity, (B, N); any unit, `temperature` has the same.
      alpha: how strongly the similarity counts; 0 makes every weight 1.
      beta: the weight's constant part; beta > alpha / m.
      temperature: of the softmax over negatives; above 0.
      floor: smallest weight, at least 0.
      positive: column of each row's own candidate, (B,) integers; by default column i. Where the
        rows are a device's and the columns global, as under `pmap` and `shard_map`, give the global
        columns, axis_index · n + arange(B) with n candidates a device: they cannot be known here.
      where: booleans, (B,) or (B, N), as in `soft_infonce`: m counts the negatives left in.
      renormalize: whether to bring a row's mean back to 1 after the floor.

    Returns:
      (B, N) float32: 1 at the positive, the weights at its valid negatives, 0 at the negatives
      left out.

    Raises:
      ValueError: beta − alpha / m is not positive for m = N − 1 (the weights would be undefined or
        reversed), temperature or floor is out of range, shapes disagree, or N < 2. Numbers known
        only at run time cannot raise: a row whose own m (fewer under `where`; N − 1 where
        `jax.export` leaves N open), or whose traced alpha and beta, make beta − alpha / m ≤ 0 has
        NaN weights, which show in the loss.
      TypeError: `positive` holds no integers or `where` no booleans.

    Example:
      Row 0 has p = (0.75, 0.25) over its two negatives; with alpha = beta = 1 its weights are
      (1 − p) / (1 − 1/2).

      >>> import jax.numpy as jnp
      >>> similarity = jnp.array([[9.0, jnp.log(3.0), 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
      >>> print(negative_weights(similarity, alpha=1.0, beta=1.0, temperature=1.0).round(2))
      [[1.  0.5 1.5]
       [1.  1.  1. ]
       [1.  1.  1. ]]

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eq. 4; the floor of
    0.1 is that of the published code.
    """
    _check_similarity(similarity, positive, where)
    check_weight_settings(similarity.shape[1] - 1, alpha, beta, temperature, floor)
    if positive is None:
        positive = jnp.arange(similarity.shape[0], dtype=jnp.int32)
    rows = functools.partial(weight_rows, renormalize=renormalize)
    w_BN = call_with_auto_axes(rows, similarity, positive, where, alpha, beta, temperature, floor)
    return jax.lax.stop_gradient(w_BN)


def negative_distribution(
    similarity: Float[Array, "B N"],
    *,
    temperature: float | Float[Array, ""],
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None = None,
) -> Float[Array, "B N"]:
    """The distribution of a similarity over each row's negatives, the p of Eq. 4.

    p_ij = softmax over row i's negatives of similarity_ij / temperature

    No gradient flows through it.

    Args:
      similarity: an estimator's similarity, (B, N); any unit, `temperature` has the same.
      temperature: above 0.
      positive: column of each row's own candidate, as in `negative_weights`.
      where: booleans, (B,) or (B, N), as in `soft_infonce`.

    Returns:
      (B, N) float32: rows sum to 1, or to 0 without negatives; 0 at the positive and at what is
      left out.

    Raises:
      ValueError: temperature is out of range, shapes disagree, or N < 2.
      TypeError: `positive` holds no integers or `where` no booleans.

    Example:
      >>> import jax.numpy as jnp
      >>> p = negative_distribution(jnp.array([[9.0, jnp.log(3.0), 0.0]]), temperature=1.0)
      >>> print(p.round(2))
      [[0.   0.75 0.25]]

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eq. 4.
    """
    _check_similarity(similarity, positive, where)
    _check_temperature(temperature)
    if positive is None:
        positive = jnp.arange(similarity.shape[0], dtype=jnp.int32)
    p_BN = call_with_auto_axes(_distribution_rows, similarity, positive, where, temperature)
    return jax.lax.stop_gradient(p_BN)


def _distribution_rows(
    similarity_BN: Float[Array, "B N"],
    positive_B: Int[Array, " B"],
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None,
    temperature: float | Float[Array, ""],
) -> Float[Array, "B N"]:
    """The softmax over each row's valid negatives."""
    _, is_negative_BN, _ = pair_masks(similarity_BN.shape, positive_B, where)
    temperature = jnp.asarray(temperature, jnp.float32)
    return _masked_softmax(similarity_BN.astype(jnp.float32), is_negative_BN, temperature)


def weight_rows(
    similarity_BN: Float[Array, "B N"],
    positive_B: Int[Array, " B"],
    where: Bool[Array, " B"] | Bool[Array, "B N"] | None,
    alpha: float | Float[Array, ""],
    beta: float | Float[Array, ""],
    temperature: float | Float[Array, ""],
    floor: float | Float[Array, ""],
    *,
    renormalize: bool,
) -> Float[Array, "B N"]:
    """Eq. 4 row by row, floor and renormalising included."""
    alpha, beta, temperature, floor = (
        jnp.asarray(x, jnp.float32) for x in (alpha, beta, temperature, floor)
    )
    is_positive_BN, is_negative_BN, _ = pair_masks(similarity_BN.shape, positive_B, where)
    p_BN = _masked_softmax(similarity_BN.astype(jnp.float32), is_negative_BN, temperature)
    m_B1 = jnp.sum(is_negative_BN, axis=1, keepdims=True, dtype=jnp.float32)
    mean_B1 = beta - alpha / jnp.maximum(m_B1, 1)
    # Where `where` leaves so few negatives that Eq. 4 has no meaning, NaN shows in the loss.
    w_BN = (beta - alpha * p_BN) / jnp.where(mean_B1 > 0, mean_B1, jnp.nan)
    w_BN = jnp.maximum(floor, jnp.where(m_B1 > 1, w_BN, 1))
    w_BN = jnp.where(is_negative_BN, w_BN, 0)
    if renormalize:
        sum_B1 = jnp.sum(w_BN, axis=1, keepdims=True)
        w_BN = w_BN * jnp.where(m_B1 > 0, m_B1 / jnp.where(m_B1 > 0, sum_B1, 1), 1)
    return jnp.where(is_positive_BN, 1, w_BN)


def _masked_softmax(
    x_BN: Float[Array, "B N"], mask_BN: Bool[Array, "B N"], temperature: Float[Array, ""]
) -> Float[Array, "B N"]:
    """Softmax of x / temperature over each row's masked-in entries, 0 elsewhere."""
    x_BN = jnp.where(mask_BN, x_BN, -jnp.inf)
    max_B1 = jnp.max(x_BN, axis=1, keepdims=True)
    max_B1 = jnp.where(jnp.any(mask_BN, axis=1, keepdims=True), max_B1, 0)
    e_BN = jnp.where(mask_BN, jnp.exp((x_BN - max_B1) / temperature), 0)
    # The largest entry adds e^0 = 1, so only a row without entries sums to less.
    return e_BN / jnp.maximum(jnp.sum(e_BN, axis=1, keepdims=True), 1)


def _check_similarity(similarity: Array, positive: Array | None, where: Array | None) -> None:
    """Raises unless the arguments' shapes and types fit together."""
    if similarity.ndim != 2:
        raise ValueError(f"similarity is a matrix, (B, N); got shape {similarity.shape}")
    if positive is None:
        check_default_positives(*similarity.shape)
    check_pairs(similarity.shape, positive=positive, where=where)


def check_weight_settings(
    m: Dim,
    alpha: float | Array,
    beta: float | Array,
    temperature: float | Array,
    floor: float | Array,
) -> None:
    """Raises where Eq. 4 has no meaning for m negatives; what is traced or symbolic is not read."""
    _check_temperature(temperature)
    if isinstance(floor, Real) and not floor >= 0:
        raise ValueError(f"floor is {floor}; weights must not go below 0")
    known = isinstance(alpha, Real) and isinstance(beta, Real) and is_smaller(1, m)
    if known and not beta - alpha / m > 0:
        raise ValueError(
            f"beta = {beta} is not above alpha / m = {alpha} / {m} = {alpha / m:.4g}, so the "
            "weights have no meaning; lower alpha, raise beta or give more candidates"
        )


def _check_temperature(temperature: float | Array) -> None:
    """Raises unless the temperature is above 0; an array, maybe traced, is not read."""
    if isinstance(temperature, Real) and not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")


def weight_diagnostics(
    similarity: Float[Array, "B N"],
    w: Float[Array, "B N"],
    *,
    temperature: float | Float[Array, ""],
    floor: float | Float[Array, ""] = 0.1,
    positive: Int[Array, " B"] | None = None,
    where: Bool[Array, "B N"] | None = None,
) -> dict[str, Float[Array, ""]]:
    """How far an estimator's weights are from flat and from one-hot.

    With v_ij = w_ij / Σ_{j≠i} w_ij over the m negatives of row i (N − 1 where all count):

    p_mean            mean of p_ij, which is 1/m: what p_max is to be compared with
    p_max             each row's largest p_ij, mean over rows
    weight_entropy    − Σ_j v_ij log v_ij in nats, mean over rows; log m where weights are equal
    weight_floor      share of the negatives whose weight is the floor
    weight_effective  effective number of negatives, 1 / Σ_j v_ij², mean over rows; at most m
    weight_spread     largest |w_ij − 1| of the batch; near 0 Soft-InfoNCE is InfoNCE

    Args:
      similarity: what the weights were made of, (B, N).
      w: the weights, (B, N), as `negative_weights` makes them.
      temperature: with which they were made.
      floor: with which they were made.
      positive: column of each row's positive, (B,); by default column i.
      where: which pairs count, as in `soft_infonce`; a row without negatives has p and entropy 0.

    Returns:
      Name -> scalar float32.

    Raises:
      ValueError: shapes disagree, N < B, N < 2, or a temperature not above 0.

    Example:
      Row 0 has p = (0.75, 0.25), weights (0.5, 1.5); the other rows are flat.

      >>> import jax.numpy as jnp
      >>> similarity = jnp.array([[9.0, jnp.log(3.0), 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
      >>> w = jnp.array([[1.0, 0.5, 1.5], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
      >>> diagnostics = weight_diagnostics(similarity, w, temperature=1.0)
      >>> {name: round(float(value), 2) for name, value in diagnostics.items()}
      {'p_mean': 0.5, 'p_max': 0.58, 'weight_entropy': 0.65, 'weight_floor': 0.0,
       'weight_effective': 1.87, 'weight_spread': 0.5}

    Source: p and w are of Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eq. 4.
    """
    _check_similarity(similarity, positive, where)
    if similarity.shape != w.shape:
        raise ValueError(f"similarity {similarity.shape} and w {w.shape} differ in shape")
    _check_temperature(temperature)
    if positive is None:
        positive = jnp.arange(similarity.shape[0], dtype=jnp.int32)
    _, is_negative_BN, _ = pair_masks(similarity.shape, positive, where)
    temperature, floor = jnp.float32(temperature), jnp.float32(floor)
    p_BN = _masked_softmax(similarity.astype(jnp.float32), is_negative_BN, temperature)
    w_BN = jnp.where(is_negative_BN, w.astype(jnp.float32), 0)
    sum_B = jnp.sum(w_BN, axis=1)
    v_BN = w_BN / jnp.where(sum_B > 0, sum_B, 1)[:, None]
    square_B = jnp.where(sum_B > 0, jnp.sum(v_BN**2, axis=1), 1)
    logs_BN = jnp.log(jnp.where(v_BN > 0, v_BN, 1))
    return {
        "p_mean": jnp.mean(p_BN, where=is_negative_BN),
        "p_max": jnp.mean(jnp.max(p_BN, axis=1)),
        "weight_entropy": jnp.mean(-jnp.sum(v_BN * logs_BN, axis=1)),
        "weight_floor": jnp.mean(w_BN <= floor, where=is_negative_BN, dtype=jnp.float32),
        "weight_effective": jnp.mean(jnp.where(sum_B > 0, 1 / square_B, 0)),
        "weight_spread": jnp.max(jnp.abs(w_BN - 1), where=is_negative_BN, initial=0),
    }
