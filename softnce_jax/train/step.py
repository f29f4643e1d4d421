"""One training step: embed both sides, loss, gradients, update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from softnce_jax.encoders.dropout import GENERATOR
from softnce_jax.encoders.encoder import Encoder, of_slots
from softnce_jax.train.batches import Batch, PackedTexts
from softnce_jax.train.state import TrainState, TrainStateWithScale, move_scale

# Query vectors, code vectors, batch, the scale if it is learned -> the loss, as a
# `train/objective.Objective` computes it.
LossFunction = Callable[..., jax.Array]
Diagnose = Callable[[Batch], dict[str, jax.Array]]  # what a step logs beside its loss
Step = Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]]


def make_step(
    encoder: Encoder,
    objective: LossFunction,
    tx: optax.GradientTransformation,
    schedule: optax.Schedule,
    seed: int,
    *,
    slices: int = 1,
    diagnose: Diagnose = lambda _: {},
    scale_tx: optax.GradientTransformation | None = None,
) -> Step:
    """The jitted step; it consumes the state given to it (donation).

    The dropout of step n is drawn from `fold_in(key(seed), n)`, so a resumed run draws the same.

    Args:
      encoder: embeds both sides.
      objective: the loss of all of a batch.
      tx: the optimiser.
      schedule: the learning rate, for the metrics.
      seed: of dropout.
      slices: the number of slices of a batch that are embedded one after the other.
      diagnose: measures of a batch that join the step's metrics.
      scale_tx: the optimiser of a learned scale, of a `TrainStateWithScale`.
    """
    # The seed is an argument, not a constant of the program: runs of several seeds share one.
    seed_bits = np.asarray(jax.random.key_data(jax.random.key(seed, impl=GENERATOR)))

    def step(seed_bits, state: TrainState, batch: Batch) -> tuple[TrainState, dict]:
        key = jax.random.fold_in(jax.random.wrap_key_data(seed_bits, impl=GENERATOR), state.step)

        learns_scale = isinstance(state, TrainStateWithScale)

        def loss_of(params, log_scale):
            vectors = embed_slices(encoder, params, batch.texts, key, slices)
            scale = {"scale": jnp.exp(log_scale)} if learns_scale else {}
            return objective(*vectors, batch, **scale), scale

        gradient = jax.value_and_grad(loss_of, (0, 1), has_aux=True)
        log_scale = state.scale.log if learns_scale else None
        (value, scale), (gradients, slope) = gradient(state.params, log_scale)
        updates, opt_state = tx.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {
            "loss": value,
            "grad_norm": optax.tree.norm(gradients),
            "learning_rate": jnp.asarray(schedule(state.step), jnp.float32),
            **scale,
            **diagnose(batch),
        }
        moved = {"scale": move_scale(state.scale, slope, scale_tx)} if learns_scale else {}
        state = state.replace(step=state.step + 1, params=params, opt_state=opt_state, **moved)
        return state, metrics

    return partial(jax.jit(step, donate_argnums=1), seed_bits)


def embed_slices(
    encoder: Encoder, params: Any, texts: PackedTexts, key: jax.Array, slices: int
) -> tuple[jax.Array, jax.Array]:
    """As `embed_texts`, in slices of which only one is in memory: gradient caching.

    The forward pass keeps only the vectors. For the gradient a slice is embedded again when its
    turn comes, with the same dropout. Gradients are those of the whole batch at once.

    Args:
      encoder: makes the vectors.
      params: the network's parameters.
      texts: of a batch, packed in groups: `slices` of them on each device.
      key: of dropout.
      slices: K.

    Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021.
    """
    if slices == 1:
        return embed_texts(encoder, params, texts, key)

    def split(x: jax.Array) -> jax.Array:
        # A device's groups are neighbours; slice k takes the k-th group of every device.
        return x.reshape(-1, slices, *x.shape[1:]).swapaxes(0, 1)

    def join(vector_KRD: jax.Array) -> jax.Array:
        devices = len(texts.queries) // slices
        by_device = vector_KRD.reshape(slices, devices, -1, vector_KRD.shape[-1]).swapaxes(0, 1)
        return by_device.reshape(-1, vector_KRD.shape[-1])

    embed = jax.checkpoint(lambda part: embed_texts(encoder, params, part, key))
    q_KRD, c_KRD = jax.lax.map(embed, jax.tree.map(split, texts))
    return join(q_KRD), join(c_KRD)


def embed_texts(
    encoder: Encoder, params: Any, texts: PackedTexts, key: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """The vectors of a batch's queries (B, D) and candidates (N, D)."""
    vector_GSD = encoder.embed(params, texts.rows, key=key)
    return of_slots(vector_GSD, texts.queries), of_slots(vector_GSD, texts.codes)
