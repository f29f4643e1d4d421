"""What the weights of a batch's negatives look like, in six numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

from softnce_jax.losses.rows import split_pairs
from softnce_jax.weights import check_similarity, check_temperature, masked_softmax

if TYPE_CHECKING:
    from jax import Array
    from jaxtyping import Bool, Float, Int


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
      w: the weights, (B, N), as of `negative_weights`.
      temperature: that of the weights.
      floor: that of the weights.
      positive: column of each row's own candidate, (B,); by default column i.
      where: which pairs count, as in `soft_infonce`; a row without negatives has p and entropy 0.

    Returns:
      Name -> scalar float32.

    Raises:
      ValueError: shapes disagree, N < B, N < 2, or a temperature not above 0.

    Example:
      Row 0 has p = (0.75, 0.25), weights (0.5, 1.5); the other rows are flat.

      >>> similarity = jnp.array([[9.0, jnp.log(3.0), 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
      >>> w = jnp.array([[1.0, 0.5, 1.5], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
      >>> found = weight_diagnostics(similarity, w, temperature=1.0)
      >>> {name: round(float(value), 2) for name, value in found.items()}
      {'p_mean': 0.5, 'p_max': 0.58, 'weight_entropy': 0.65, 'weight_floor': 0.0,
       'weight_effective': 1.87, 'weight_spread': 0.5}

    Source: of p and w: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Eq. 4.
    """
    check_similarity(similarity, positive, where)
    if similarity.shape != w.shape:
        raise ValueError(f"similarity {similarity.shape} and w {w.shape} differ in shape")
    check_temperature(temperature)
    if positive is None:
        positive = jnp.arange(len(similarity), dtype=jnp.int32)
    _, negative_BN, _ = split_pairs(similarity.shape, positive, where)
    temperature, floor = jnp.float32(temperature), jnp.float32(floor)
    p_BN = masked_softmax(similarity.astype(jnp.float32), negative_BN, temperature)
    w_BN = jnp.where(negative_BN, w.astype(jnp.float32), 0)
    sum_B = jnp.sum(w_BN, axis=1)
    v_BN = w_BN / jnp.where(sum_B > 0, sum_B, 1)[:, None]
    square_B = jnp.where(sum_B > 0, jnp.sum(v_BN**2, axis=1), 1)
    logs_BN = jnp.log(jnp.where(v_BN > 0, v_BN, 1))
    return {
        "p_mean": jnp.mean(p_BN, where=negative_BN),
        "p_max": jnp.mean(jnp.max(p_BN, axis=1)),
        "weight_entropy": jnp.mean(-jnp.sum(v_BN * logs_BN, axis=1)),
        "weight_floor": jnp.mean(w_BN <= floor, where=negative_BN, dtype=jnp.float32),
        "weight_effective": jnp.mean(jnp.where(sum_B > 0, 1 / square_B, 0)),
        "weight_spread": jnp.max(jnp.abs(w_BN - 1), where=negative_BN, initial=0),
    }
