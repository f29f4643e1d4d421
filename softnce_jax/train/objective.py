"""One table: which function a `--loss` is, what its target is, what makes it from similarities."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

import softnce_jax.losses as losses
from softnce_jax.blockwise import BLOCK, blockwise_soft_infonce
from softnce_jax.errors import InputError
from softnce_jax.losses.duplicates import distinct_rows
from softnce_jax.train.batches import Batch
from softnce_jax.train.config import Config
from softnce_jax.weights import negative_distribution, negative_weights

# Above so many pairs, rows x candidates, InfoNCE and Soft-InfoNCE go block by block. Up to one,
# 2,048 x 2,048, both forms are the same work: times within 2 %, the same memory. At 4,096 x 4,096
# the block-wise one takes 0.8 to 0.9 of the time and a third of the memory (CPU, D 128 and 768).
DENSE_PAIRS = BLOCK
# Above so many, 32,768 x 32,768, a loss that has no block-wise form is refused: its matrices would
# take 12 bytes a pair, 13 GB, and on a CPU the program would be killed without a word.
MOST_DENSE_PAIRS = 2**30

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
BLOCKWISE = ("infonce", "soft_infonce")
# What makes a target of a similarity, and its settings. A similarity stays as it is.
TARGETS = {
    "w": (negative_weights, ("alpha", "beta", "temperature", "floor")),
    "p": (negative_distribution, ("temperature",)),
}


class Own(NamedTuple):
    """What rows of a batch have of their own: of all rows, (B, ...), or of some."""

    positive_B: jax.Array
    query_features: jax.Array | None
    query_keys: jax.Array | None


def objective(config: Config, scale: float) -> Objective:
    """The loss of a batch as the configuration says, `scale` multiplying the scores.

    Above DENSE_PAIRS no (B, N) matrix is made where the loss has a block-wise form.
    """

    def of_batch(q_BD: jax.Array, c_ND: jax.Array, batch: Batch) -> jax.Array:
        own = own_of(batch, len(q_BD), len(c_ND))
        pairs = len(q_BD) * len(c_ND)
        if pairs > DENSE_PAIRS and config.loss in BLOCKWISE and not config.symmetric:
            return in_blocks(config, q_BD, c_ND, batch, own, scale)
        if pairs > MOST_DENSE_PAIRS:
            raise InputError(_too_many(config, len(q_BD), len(c_ND)))
        return dense(config, q_BD, c_ND, batch, own, scale)

    return of_batch


def dense(config, q_BD, c_ND, batch, own, scale) -> jax.Array:
    """Any loss, from matrices (B, N)."""
    loss = LOSSES[config.loss]
    settings = {name: getattr(config, field) for name, field in loss.settings.items()}
    given = {"positive": own.positive_B, "where": kept_pairs(config, batch, own)}
    target = ()
    if loss.target is not None:
        target = (target_of(config, loss.target, similarity_of(config, batch, own), **given),)
    return loss.function(q_BD, c_ND, *target, scale=scale, **given, **settings)


def in_blocks(config, q_BD, c_ND, batch, own, scale) -> jax.Array:
    """InfoNCE or Soft-InfoNCE, block of rows by block of rows."""
    similarity, settings = None, {}
    if config.loss == "soft_infonce":
        similarity = functools.partial(similarity_of, config, batch)
        settings = {name: getattr(config, name) for name in TARGETS["w"][1]}
    where = None if batch.query_keys is None else functools.partial(kept_pairs, config, batch)
    return blockwise_soft_infonce(
        q_BD,
        c_ND,
        similarity,
        positive=own.positive_B,
        where=where,
        rows=own,
        scale=scale,
        **settings,
    )


def _too_many(config: Config, rows: int, columns: int) -> str:
    loss = f"--loss {config.loss}" + (" --symmetric" if config.symmetric else "")
    return (
        f"{loss} of {rows} x {columns} pairs: its matrices would take "
        f"{12 * rows * columns / 1e9:.0f} GB; lower --batch-size, or take soft_infonce or infonce "
        "in one direction, which need none"
    )


def own_of(batch: Batch, rows: int, columns: int) -> Own:
    """What each of the rows has of its own."""
    return Own(own_columns(rows, columns), batch.query_features, batch.query_keys)


def own_columns(rows: int, columns: int) -> jax.Array:
    """Where each row's own candidate stands: before its hard negatives."""
    return jnp.arange(rows, dtype=jnp.int32) * (columns // rows)


def kept_pairs(config: Config, batch: Batch, own: Own) -> jax.Array | None:
    """Which pairs of the rows count, (R, N): all, as None, or all but duplicates.

    A hard negative that answers the row's query never counts; another pair of the batch that does
    is left out where the configuration excludes duplicates.
    """
    if batch.query_keys is None:
        return None
    distinct_RN = distinct(batch, own)
    if config.duplicates == "exclude":
        return distinct_RN
    return distinct_RN | of_the_batch(batch)


def similarity_of(config: Config, batch: Batch, own: Own) -> jax.Array:
    """The estimator's similarity of the rows, (R, N).

        similarity_ij = max_k similarity_ik  where pair j of the batch has the query or code of i

    The second only where the configuration weights duplicates: they are as similar as the most
    similar of their row.
    """
    exact = jax.lax.Precision.HIGHEST  # as of the scores
    similarity_RN = jnp.matmul(own.query_features, batch.code_features.T, precision=exact)
    if config.duplicates != "weight":
        return similarity_RN
    same_RN = ~distinct(batch, own) & of_the_batch(batch)
    return jnp.where(same_RN, jnp.max(similarity_RN, axis=1, keepdims=True), similarity_RN)


def distinct(batch: Batch, own: Own) -> jax.Array:
    """(R, N), False where a candidate that is not the row's own answers its query, too.

    Of all rows it is what `without_duplicates` gives.
    """
    everyone = batch.query_keys, own_columns(len(batch.query_keys), len(batch.code_keys))
    rows = own.query_keys, own.positive_B
    return distinct_rows(*rows, batch.code_keys, *everyone, batch.answers)


def of_the_batch(batch: Batch) -> jax.Array:
    """(1, N), True at the pairs of the batch, False at hard negatives."""
    rows, columns = len(batch.query_keys), len(batch.code_keys)
    return (jnp.arange(columns) % (columns // rows) == 0)[None]


def target_of(config: Config, target: str, similarity_RN: jax.Array, **given) -> jax.Array:
    """What the loss reads beside the scores, made of the similarity."""
    if target == "similarity":
        return similarity_RN
    make, names = TARGETS[target]
    return make(similarity_RN, **given, **{name: getattr(config, name) for name in names})
