"""Pooling: from the states of tokens to one vector a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Int

__all__ = ["pool_slots"]


def pool_slots(
    states_RLD: Float[Array, "R L D"],
    slot_RL: Int[Array, "R L"],
    mask_RL: Bool[Array, "R L"],
    slots: int,
) -> Float[Array, "R S D"]:
    """Mean over the tokens of each text of a row, special tokens included.

        v_rs = Σ_l m_rsl h_rl / max(1, Σ_l m_rsl),  m_rsl = [mask_rl and slot_rl = s]

    Args:
      states_RLD: last hidden states, finite, of any float type; summed in float32.
      slot_RL: the slot of the text at each position; -1 for padding.
      mask_RL: the positions that count: all tokens for the mean, the first of each text for its
        state alone.
      slots: S, slots of a row.

    Returns:
      Float32 vectors (R, S, D); 0 for a slot without a text.

    Example:
      >>> states = jnp.array([[[1.0], [2.0], [4.0], [9.0]]])
      >>> pool_slots(states, jnp.array([[0, 1, 1, -1]]), jnp.ones((1, 4), bool), 2)
      Array([[[1.],
              [3.]]], dtype=float32)

    The mean is the vector of UniXcoder in the paper's experiments (Li et al., EMNLP 2023).
    """
    # A product with a matrix of zeros and ones, not a sum by index: on a GPU the order of that one,
    # and so its rounding, may change from run to run.
    slot_1S1 = jnp.arange(slots)[None, :, None]
    weight_RSL = ((slot_RL[:, None] == slot_1S1) & mask_RL[:, None]).astype(jnp.float32)
    exact = jax.lax.Precision.HIGHEST
    states_RLD = states_RLD.astype(jnp.float32)
    sum_RSD = jnp.einsum("rsl,rld->rsd", weight_RSL, states_RLD, precision=exact)
    return sum_RSD / jnp.maximum(jnp.sum(weight_RSL, axis=2, keepdims=True), 1.0)
