"""The training state and the optimiser that moves it."""

from __future__ import annotations

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


class TrainState(flax.struct.PyTreeNode):
    """Everything that training changes. The step is also the position in the data."""

    step: jax.Array
    params: Any
    opt_state: Any


def learning_rate(peak: float, steps: int, warmup_steps: int = 0) -> optax.Schedule:
    """Linear from 0 to `peak` over the warm-up, then linear to 0 at `steps` (PAPER 3: AdamW)."""
    if not 0 <= warmup_steps < steps:
        raise ValueError(f"{warmup_steps} warm-up steps do not fit into {steps} steps")
    down = optax.linear_schedule(peak, 0.0, steps - warmup_steps)
    if not warmup_steps:
        return down
    up = optax.linear_schedule(0.0, peak, warmup_steps)
    return optax.join_schedules([up, down], [warmup_steps])


def weight_decay_mask(params: Any) -> Any:
    """True for the parameters that weight decay shrinks: neither biases nor LayerNorm's.

    Example:
      >>> weight_decay_mask({"dense": {"kernel": 1, "bias": 1}, "LayerNorm": {"scale": 1}})
      {'LayerNorm': {'scale': False}, 'dense': {'bias': False, 'kernel': True}}
    """

    def is_decayed(path, _):
        names = [str(entry.key) for entry in path]
        return names[-1] not in ("bias", "scale") and "LayerNorm" not in names

    return jax.tree_util.tree_map_with_path(is_decayed, params)


def optimizer(
    schedule: optax.Schedule, *, clip_norm: float, weight_decay: float
) -> optax.GradientTransformation:
    """AdamW (eps 1e-8) after clipping the gradients to a global norm, as published."""
    return optax.chain(
        optax.clip_by_global_norm(clip_norm),
        optax.adamw(schedule, eps=1e-8, weight_decay=weight_decay, mask=weight_decay_mask),
    )


def create(params: Any, tx: optax.GradientTransformation) -> TrainState:
    """The state before the first step."""
    return TrainState(jnp.zeros((), jnp.int32), params, tx.init(params))
