"""Diagnostics: a step's weights, a warning where they change nothing; information, divergence."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from softnce_jax import registry
from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.processor import Processor
from softnce_jax.estimators.precomputed import Precomputed
from softnce_jax.train.batches import Batch, Features, batch_indices, batches
from softnce_jax.train.config import Config
from softnce_jax.train.features import make_features
from softnce_jax.train.objective import DENSE_PAIRS, Objective, query_rows
from softnce_jax.train.step import Diagnose
from softnce_jax.weights import weight_diagnostics

if TYPE_CHECKING:
    from jaxtyping import Float

FIRST_STEPS = 10  # that the warning is about
FLAT = 0.01  # distance from 1 up to which a weight changes nothing
ONE_HOT = 0.99  # share of p on one negative, mean over rows, from which it is the only one
SAMPLE_ROWS = 256  # of a large batch, whose weights are measured


def diagnosis(config: Config, objective: Objective) -> Diagnose:
    """The diagnostics of a batch's weights; none for losses without weights.

    Up to DENSE_PAIRS pairs they are those of all rows. Of a larger batch they are those of 256
    evenly spaced rows, each against all candidates: batches are drawn at random, so any rows are a
    random sample. `weight_spread` is then the largest of these rows.
    """

    def weights_of(batch: Batch) -> dict[str, jax.Array]:
        rows = query_rows(batch, len(batch.query_features), len(batch.code_features))
        if len(batch.query_features) * len(batch.code_features) > DENSE_PAIRS:
            rows = jax.tree.map(functools.partial(_evenly_spaced, rows=SAMPLE_ROWS), rows)
        return weight_diagnostics(
            *objective.weights(batch, rows),
            temperature=config.temperature,
            floor=config.floor,
            positive=rows.positive,
            where=objective.valid_pairs(batch, rows),
        )

    return weights_of if objective.has_weights else lambda _: {}


def _evenly_spaced(x_B: jax.Array, *, rows: int) -> jax.Array:
    """`rows` rows at equal distances; all where there are no more.

    Example:
      >>> _evenly_spaced(jax.numpy.arange(11), rows=5).tolist()
      [0, 2, 4, 6, 8]
    """
    return x_B[:: max(1, len(x_B) // rows)][:rows]


class WeightWatch:
    """Watches the first steps' metrics; warns once where nothing, or only InfoNCE, was learned.

    Example:
      >>> watch = WeightWatch(steps_left=1)
      >>> watch({"p_mean": 0.02, "p_max": 0.021, "weight_spread": 0.001})
      'warning: in the first 1 steps every weight was within 0.01 of 1, so Soft-InfoNCE is InfoNCE
       (p_max 0.021, flat is 0.020): lower --temperature or raise --alpha'
    """

    def __init__(self, steps_left: int):
        self._steps = min(FIRST_STEPS, steps_left)
        self._seen: list[dict[str, float]] = []

    def __call__(self, values: dict[str, float]) -> str | None:
        """Takes a step's metrics; the warning, after the last of the first steps."""
        if len(self._seen) == self._steps:
            return None
        self._seen.append(values)
        return self._warning() if len(self._seen) == self._steps else None

    def _warning(self) -> str | None:
        first = f"warning: in the first {self._steps} steps"
        # Where the loss has weights, p_mean is NaN in a step in which no row had negatives.
        seen = [values for values in self._seen if not math.isnan(values.get("p_mean", math.nan))]
        if all(values.get("loss") == values.get("grad_norm") == 0 for values in self._seen):
            known = "p_mean" in self._seen[-1] and not seen
            return (
                f"{first} {'no row had negatives' if known else 'loss and gradient were 0'}, so "
                "nothing was learned: where all pairs of a batch share a text, use --duplicates "
                "keep or other data"
            )
        if not seen:
            return None
        p_max, flat = seen[-1]["p_max"], seen[-1]["p_mean"]
        if flat > ONE_HOT:
            return f"{first} the only negative had weight 1: use a larger --batch-size"
        if all(values["weight_spread"] <= FLAT for values in seen):
            return (
                f"{first} every weight was within {FLAT} of 1, so Soft-InfoNCE is InfoNCE "
                f"(p_max {p_max:.3f}, flat is {flat:.3f}): lower --temperature or raise --alpha"
            )
        if all(values["p_max"] >= ONE_HOT for values in seen):
            return (
                f"{first} one negative of each row had all of p, so Soft-InfoNCE is InfoNCE with "
                f"that one weakened (p_max {p_max:.3f}): raise --temperature"
            )
        return None


def divergence(
    similarity_BN: Float[np.ndarray, "B B"],
    score_BN: Float[np.ndarray, "B B"],
    *,
    temperature: float,
) -> Float[np.ndarray, " B"]:
    """How far the model's distribution over the negatives is from the estimator's.

        KL(S_i ‖ P_i) = Σ_{j≠i} S_ij log(S_ij / P_ij)
        S_i = softmax over j≠i of similarity_ij / temperature,  P_i = softmax over j≠i of score_ij

    Args:
      similarity_BN: the estimator's similarity; column i belongs to row i.
      score_BN: the model's scores, scaled as in its loss.
      temperature: of the estimator's softmax.

    Returns:
      (B,) float64, in nats; 0 where the two agree.

    Raises:
      ValueError: the matrices are not square, not alike, or leave no negatives.

    Example:
      >>> score = np.array([[9.0, 1.0, 2.0], [1.0, 9.0, 1.0], [0.0, 3.0, 9.0]])
      >>> divergence(score, score + 5.0, temperature=1.0).round(6).tolist()
      [0.0, 0.0, 0.0]

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023, Theorem 1: what
    Soft-InfoNCE holds down.
    """
    rows = len(similarity_BN)
    if similarity_BN.shape != score_BN.shape or similarity_BN.shape != (rows, rows) or rows < 2:
        raise ValueError(
            f"similarity {similarity_BN.shape} and score {score_BN.shape}: give two (B, B), B >= 2"
        )
    log_s = _log_softmax_of_negatives(np.asarray(similarity_BN, np.float64) / temperature)
    log_p = _log_softmax_of_negatives(np.asarray(score_BN, np.float64))
    return np.sum(np.exp(log_s) * (log_s - log_p), axis=1)


class Vectors(NamedTuple):
    """What a system gives Q queries and their code, and the factor on its scores in the loss."""

    q_QD: np.ndarray
    c_QD: np.ndarray
    scale: float


class Evaluated(NamedTuple):
    """Q evaluated pairs and what each system gives them, by its name."""

    pairs: Sequence[Pair]
    vectors: Mapping[str, Vectors]


Measure = Callable[[Vectors, Batch], float]  # of a batch


def analyse(
    config: Config,
    evaluated: Evaluated,
    processor: Processor,
    precomputed: Mapping[str, Precomputed],
    cache_folder: Path,
) -> dict[str, dict[str, Any]]:
    """Information and divergence on full batches of evaluated pairs, without hard negatives.

        mutual_information = log N − L,  L the mean loss of batches of N = the batch size

    log N − L bounds the mutual information of query and code from below for InfoNCE; for
    Soft-InfoNCE where its weights are importance weights (alpha = beta = 1, PAPER 4.2).

    Args:
      config: of the run: loss, estimator, batch size and seed.
      evaluated: pairs and vectors.
      processor: of the encoder.
      precomputed: the run's estimators that training does not change, by name.
      cache_folder: of their features.

    Returns:
      System → "batch_size" N, "batches", "mutual_information": loss → log N − L in nats (InfoNCE
      and the run's), "kl": estimator → mean `divergence` in nats (BM25 and the run's). Empty where
      the pairs do not fill a batch.
    """
    if len(evaluated.pairs) < config.batch_size:
        return {system: {} for system in evaluated.vectors}
    config = dataclasses.replace(config, negatives=None)
    row = registry.ESTIMATORS["bm25"]
    of_bm25 = {"alpha": row.alpha, "beta": row.beta, "temperature": row.temperature}
    infonce = dataclasses.replace(config, loss="infonce", estimator="none")
    bm25 = dataclasses.replace(config, estimator="bm25", **of_bm25)

    def means(config: Config, measure: Measure) -> dict[str, float]:
        # The estimator knows the evaluated pairs alone.
        pairs = list(evaluated.pairs)
        features = make_features(config, pairs, processor, precomputed, cache_folder)
        return _means(config, evaluated, processor, features, measure)

    losses = {
        run.loss: means(run, _loss(run))
        for run in {"infonce": infonce, config.loss: config}.values()
        if registry.loss(run.loss).bounds_information
    }
    divergences = {
        run.estimator: means(run, _mean_divergence(run))
        for run in {"bm25": bm25, config.estimator: config}.values()
        if run.estimator != "none"
    }
    size = config.batch_size
    return {
        system: {
            "batch_size": size,
            "batches": len(evaluated.pairs) // size,
            "mutual_information": {
                loss: math.log(size) - of[system] for loss, of in losses.items()
            },
            "kl": {estimator: of[system] for estimator, of in divergences.items()},
        }
        for system in evaluated.vectors
    }


def _means(
    config: Config,
    evaluated: Evaluated,
    processor: Processor,
    features: Features | None,
    measure: Measure,
) -> dict[str, float]:
    """The mean of a measure over the batches of one epoch, for each system."""
    pairs = evaluated.pairs
    indices = batch_indices(len(pairs), config.batch_size, config.seed)
    dataset = batches(indices, pairs, processor, features, keys=config.duplicates != "keep")
    values: dict[str, list[float]] = {system: [] for system in evaluated.vectors}
    for n in range(len(pairs) // config.batch_size):
        index_B = np.asarray(indices[n])
        # Without texts, whose shapes differ, the loss is one program.
        batch = dataset[n]._replace(texts=None)
        for system, (q_QD, c_QD, scale) in evaluated.vectors.items():
            of_batch = Vectors(q_QD[index_B], c_QD[index_B], scale)
            values[system].append(measure(of_batch, batch))
    return {system: float(np.mean(of_batches)) for system, of_batches in values.items()}


def _loss(config: Config) -> Measure:
    loss = functools.cache(lambda scale: jax.jit(Objective(config, scale)))
    return lambda vectors, batch: float(loss(vectors.scale)(vectors.q_QD, vectors.c_QD, batch))


def _mean_divergence(config: Config) -> Measure:
    # A loss that reads similarities without a softmax has no temperature: then the estimator's.
    temperature = config.temperature or registry.estimator(config.estimator).temperature or 1.0

    def measure(vectors: Vectors, batch: Batch) -> float:
        similarity_BN = batch.query_features @ batch.code_features.T
        score_BN = vectors.scale * (vectors.q_QD @ vectors.c_QD.T)
        return float(divergence(similarity_BN, score_BN, temperature=temperature).mean())

    return measure


def _log_softmax_of_negatives(x_BB: np.ndarray) -> np.ndarray:
    """Over each row without its diagonal, (B, B − 1)."""
    rows = len(x_BB)
    x_BM = x_BB[~np.eye(rows, dtype=bool)].reshape(rows, rows - 1)
    x_BM = x_BM - x_BM.max(axis=1, keepdims=True)
    return x_BM - np.log(np.exp(x_BM).sum(axis=1, keepdims=True))
