"""One table: which function a `--loss` is, what its target is, what makes it from similarities."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax

import softnce_jax.losses as losses
from softnce_jax.data.batches import Batch
from softnce_jax.train.config import Config
from softnce_jax.weights import negative_distribution, negative_weights

# (query vectors, code vectors, batch) -> scalar
Objective = Callable[[jax.Array, jax.Array, Batch], jax.Array]


class Loss(NamedTuple):
    """A loss, what it reads beside the scores, and its settings as fields of the configuration."""

    function: Callable[..., jax.Array]
    target: str | None
    settings: dict[str, str]


LOSSES = {
    "infonce": Loss(losses.infonce, None, {"symmetric": "symmetric"}),
    "soft_infonce": Loss(losses.soft_infonce, "w", {"symmetric": "symmetric"}),
    "weighted_infonce": Loss(losses.weighted_infonce, "p", {}),
    "bce": Loss(losses.bce, "p", {}),
    "kl_regularized": Loss(losses.kl_regularized, "p", {"alpha": "alpha", "beta": "beta"}),
    "cancel_top_k": Loss(losses.cancel_top_k, "similarity", {"k": "cancel_k"}),
    "cancel_threshold": Loss(losses.cancel_threshold, "similarity", {"ratio": "cancel_ratio"}),
}
# What makes a target of a similarity, and its settings. A similarity stays as it is.
TARGETS = {
    "w": (negative_weights, ("alpha", "beta", "temperature", "floor")),
    "p": (negative_distribution, ("temperature",)),
}


def objective(config: Config, scale: float) -> Objective:
    """The loss of a batch as the configuration says, `scale` multiplying the scores."""
    loss = LOSSES[config.loss]
    settings = {name: getattr(config, field) for name, field in loss.settings.items()}

    def of_batch(q_BD: jax.Array, c_ND: jax.Array, batch: Batch) -> jax.Array:
        where = kept_pairs(config, batch)
        target = () if loss.target is None else (target_of(config, loss.target, batch, where),)
        return loss.function(q_BD, c_ND, *target, where=where, scale=scale, **settings)

    return of_batch


def kept_pairs(config: Config, batch: Batch) -> jax.Array | None:
    """Which pairs count, (B, N): all, as None, or all but the duplicates."""
    if not config.exclude_duplicates:
        return None
    return losses.without_duplicates(batch.query_keys, batch.code_keys)


def target_of(config: Config, target: str, batch: Batch, where: jax.Array | None) -> jax.Array:
    """What the loss reads beside the scores, made of the batch's features."""
    similarity_BN = batch.query_features @ batch.code_features.T
    if target == "similarity":
        return similarity_BN
    make, names = TARGETS[target]
    return make(similarity_BN, where=where, **{name: getattr(config, name) for name in names})
