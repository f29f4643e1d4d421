"""One training step: embed both sides, loss, gradients, update."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from softnce_jax.data.batches import Batch
from softnce_jax.encoders.encoder import Encoder
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

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
        query_key, code_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), state.step))

        def loss_of(params):
            q_BD = encoder.embed(params, batch.query_ids, key=query_key)
            c_ND = encoder.embed(params, batch.code_ids, key=code_key)
            return loss(q_BD, c_ND, batch)

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

    return jax.jit(step, donate_argnums=0)
