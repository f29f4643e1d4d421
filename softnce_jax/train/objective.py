"""One table: which function a `--loss` is, what its target is, what makes it from similarities."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

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
        given = {"positive": own_columns(len(q_BD), len(c_ND)), "where": kept_pairs(config, batch)}
        target = ()
        if loss.target is not None:
            target = (target_of(config, loss.target, similarity_of(config, batch), **given),)
        return loss.function(q_BD, c_ND, *target, scale=scale, **given, **settings)

    return of_batch


def own_columns(rows: int, columns: int) -> jax.Array:
    """Where each row's own candidate stands: before its hard negatives."""
    return jnp.arange(rows, dtype=jnp.int32) * (columns // rows)


def kept_pairs(config: Config, batch: Batch) -> jax.Array | None:
    """Which pairs count, (B, N): all, as None, or all but duplicates.

    A hard negative that answers the row's query never counts; another pair of the batch that does
    is left out where the configuration excludes duplicates.
    """
    if batch.query_keys is None:
        return None
    distinct_BN = distinct(batch)
    if config.duplicates == "exclude":
        return distinct_BN
    return distinct_BN | of_the_batch(*distinct_BN.shape)


def similarity_of(config: Config, batch: Batch) -> jax.Array:
    """The estimator's similarity, (B, N); duplicates are as similar as the most similar of a row.

        similarity_ij = max_k similarity_ik  where pair j of the batch has the query or code of i

    The second only where the configuration weights duplicates.
    """
    similarity_BN = batch.query_features @ batch.code_features.T
    if config.duplicates != "weight":
        return similarity_BN
    same_BN = ~distinct(batch) & of_the_batch(*similarity_BN.shape)
    return jnp.where(same_BN, jnp.max(similarity_BN, axis=1, keepdims=True), similarity_BN)


def distinct(batch: Batch) -> jax.Array:
    """(B, N), False where a candidate that is not the row's own answers its query, too."""
    positive = own_columns(len(batch.query_keys), len(batch.code_keys))
    return losses.without_duplicates(
        batch.query_keys, batch.code_keys, answers=batch.answers, positive=positive
    )


def of_the_batch(rows: int, columns: int) -> jax.Array:
    """(1, N), True at the pairs of the batch, False at hard negatives."""
    return (jnp.arange(columns) % (columns // rows) == 0)[None]


def target_of(config: Config, target: str, similarity_BN: jax.Array, **given) -> jax.Array:
    """What the loss reads beside the scores, made of the similarity."""
    if target == "similarity":
        return similarity_BN
    make, names = TARGETS[target]
    return make(similarity_BN, **given, **{name: getattr(config, name) for name in names})
