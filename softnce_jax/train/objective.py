"""One table: which function a `--loss` is, what its target is, what makes it from similarities."""

from __future__ import annotations

from collections.abc import Callable

import jax

from softnce_jax.data.batches import Batch
from softnce_jax.losses import infonce, soft_infonce
from softnce_jax.train.config import Config
from softnce_jax.weights import negative_weights

# (query vectors, code vectors, batch) -> scalar
Objective = Callable[[jax.Array, jax.Array, Batch], jax.Array]


def objective(config: Config, scale: float) -> Objective:
    """The loss of a batch as the configuration says, `scale` multiplying the scores."""

    def infonce_of(q_BD, c_ND, batch):
        return infonce(q_BD, c_ND, scale=scale)

    def soft_infonce_of(q_BD, c_ND, batch):
        w_BN = negative_weights(
            batch.query_features @ batch.code_features.T,
            alpha=config.alpha,
            beta=config.beta,
            temperature=config.temperature,
            floor=config.floor,
        )
        return soft_infonce(q_BD, c_ND, w_BN, scale=scale)

    return {"infonce": infonce_of, "soft_infonce": soft_infonce_of}[config.loss]
