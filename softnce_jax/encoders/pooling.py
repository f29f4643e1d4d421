"""Pooling: from the states of a row's tokens to one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int


def pool_slots(
    states_RLD: Float[Array, "R L D"],
    slot_RL: Int[Array, "R L"],
    mask_RL: Bool[Array, "R L"],
    slots: int,
) -> Float[Array, "R S D"]:
    """`mean_pool` for rows of several texts: the mean over those places of each text that count.

    A product with a matrix of zeros and ones rather than a sum by index, whose order, hence
    rounding, may change from run to run on a GPU.

    Args:
      states_RLD: last hidden states, any float type; summed in float32.
      slot_RL: which text of its row each place belongs to.
      mask_RL: the places that count; the first of each text for `first_token`.
      slots: texts of a row at most, S.

    Returns:
      Float32 vectors (R, S, D); 0 where there is no text.

    Example:
      >>> states = jnp.array([[[1.0], [2.0], [4.0], [9.0]]])
      >>> pool_slots(states, jnp.array([[0, 1, 1, -1]]), jnp.ones((1, 4), bool), 2)
      Array([[[1.],
              [3.]]], dtype=float32)
    """
    slot_1S1 = jnp.arange(slots)[None, :, None]
    weight_RSL = ((slot_RL[:, None] == slot_1S1) & mask_RL[:, None]).astype(jnp.float32)
    exact = jax.lax.Precision.HIGHEST
    states_RLD = states_RLD.astype(jnp.float32)
    sum_RSD = jnp.einsum("rsl,rld->rsd", weight_RSL, states_RLD, precision=exact)
    return sum_RSD / jnp.maximum(jnp.sum(weight_RSL, axis=2, keepdims=True), 1.0)
