"""The training state and the optimiser that moves it."""

from __future__ import annotations

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

# Of a learned scale, as in Radford et al., "Learning Transferable Visual Models From Natural
# Language Supervision", 2021: the peak of its own learning rate, for a fine-tuning rate would
# hardly move it, and the largest scale.
SCALE_PEAK = 5e-4
LARGEST_SCALE = 100.0


class TrainState(flax.struct.PyTreeNode):
    """Everything that training changes. The step is also the position in the data."""

    step: jax.Array
    params: Any
    opt_state: Any


class LearnedScale(flax.struct.PyTreeNode):
    """The logarithm of the factor on the scores, and its optimiser's state."""

    log: jax.Array
    opt_state: Any


class TrainStateWithScale(TrainState):
    """The state of a run whose scale is trained; that of others has no such leaves."""

    scale: LearnedScale


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


def with_scale(
    state: TrainState, scale: float, tx: optax.GradientTransformation
) -> TrainStateWithScale:
    """The state before the first step of a run that trains its scale, too.

    Args:
      state: as of `create`.
      scale: to begin with.
      tx: the scale's optimiser, which neither clips nor decays it.
    """
    log = jnp.log(jnp.asarray(scale, jnp.float32))
    fields = {"step": state.step, "params": state.params, "opt_state": state.opt_state}
    return TrainStateWithScale(**fields, scale=LearnedScale(log, tx.init(log)))


def move_scale(
    scale: LearnedScale, gradient: jax.Array, tx: optax.GradientTransformation
) -> LearnedScale:
    """The scale after a step, LARGEST_SCALE at most.

    Args:
      scale: before it.
      gradient: of the loss in the logarithm.
      tx: as of `with_scale`.
    """
    update, opt_state = tx.update(gradient, scale.opt_state, scale.log)
    log = jnp.minimum(scale.log + update, jnp.log(jnp.float32(LARGEST_SCALE)))
    return LearnedScale(log, opt_state)
