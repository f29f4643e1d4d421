"""One training step: embed both sides, loss, gradients, update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from softnce_jax.data.batches import Batch, PackedTexts, PaddedTexts
from softnce_jax.encoders.encoder import Encoder, of_slots
from softnce_jax.train.diagnose import Diagnose
from softnce_jax.train.objective import Objective
from softnce_jax.train.state import TrainState

Step = Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]]


def make_step(
    encoder: Encoder,
    loss: Objective,
    tx: optax.GradientTransformation,
    schedule: optax.Schedule,
    seed: int,
    *,
    diagnose: Diagnose = lambda _: {},
) -> Step:
    """The jitted step; it consumes the state given to it (donation).

    What `diagnose` finds in a batch is among the step's metrics.

    The dropout of step n is drawn from `fold_in(key(seed), n)`, so a resumed run draws the same.
    """
    # An argument, not a constant of the program: runs of several seeds share one compilation.
    seed_bits = np.asarray(jax.random.key_data(jax.random.key(seed)))

    def step(seed_bits, state: TrainState, batch: Batch) -> tuple[TrainState, dict]:
        key = jax.random.fold_in(jax.random.wrap_key_data(seed_bits), state.step)

        def loss_of(params):
            return loss(*embed_texts(encoder, params, batch.texts, key), batch)

        value, gradients = jax.value_and_grad(loss_of)(state.params)
        updates, opt_state = tx.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {
            "loss": value,
            "grad_norm": optax.tree.norm(gradients),
            "learning_rate": jnp.asarray(schedule(state.step), jnp.float32),
            **diagnose(batch),
        }
        return TrainState(state.step + 1, params, opt_state), metrics

    return partial(jax.jit(step, donate_argnums=1), seed_bits)


def embed_texts(
    encoder: Encoder, params: Any, texts: PaddedTexts | PackedTexts, key: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """The vectors of a batch's queries (B, D) and candidates (N, D).

    Either layout gives the same, dropout included: its bits follow the texts' numbers.
    """
    if isinstance(texts, PackedTexts):
        vector_GSD = encoder.embed(params, texts.rows, key=key)
        return of_slots(vector_GSD, texts.queries), of_slots(vector_GSD, texts.codes)
    q_BD = encoder.embed(params, texts.queries, key=key)
    return q_BD, encoder.embed(params, texts.codes, key=key, first_text=len(q_BD))
