"""What the theory speaks of, measured on evaluated queries: information and divergence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.train.batches import Batch, Layout, batch_indices, batches
from softnce_jax.train.config import ESTIMATORS
from softnce_jax.train.features import make_features
from softnce_jax.train.objective import objective
from softnce_jax.train.setup import Data

if TYPE_CHECKING:
    from jaxtyping import Float

BOUNDS = ("infonce", "soft_infonce")  # losses L for which log N − L bounds anything


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


class Evaluated(NamedTuple):
    """Q evaluated pairs and the vectors that the model gives them."""

    pairs: Sequence[Pair]
    q_QD: np.ndarray
    c_QD: np.ndarray


def analyse(data: Data, evaluated: Evaluated, layout: Layout, scale: float) -> dict:
    """Information and divergence on full batches of evaluated pairs, without hard negatives.

        mutual_information = log N − L,  L the mean loss of batches of N = the batch size

    log N − L bounds the mutual information of query and code from below for InfoNCE; for
    Soft-InfoNCE where its weights are importance weights (alpha = beta = 1, PAPER 4.2).

    Args:
      data: of the run; its configuration names loss, estimator, batch size and seed.
      evaluated: pairs and vectors.
      layout: tokenizer and lengths.
      scale: what multiplies the scores in the loss.

    Returns:
      "batch_size" N, "batches", "mutual_information": loss → log N − L in nats (InfoNCE's always,
      and the run's own), "kl": estimator → mean `divergence` in nats (BM25's always, and the run's
      own). Empty where the pairs do not fill a batch.
    """
    config = data.config
    if len(evaluated.pairs) < config.batch_size:
        return {}
    plain = dataclasses.replace(config, loss="infonce", estimator="none")
    bm25 = dataclasses.replace(config, estimator="bm25", **ESTIMATORS["bm25"])
    information = {
        run.loss: math.log(config.batch_size)
        - _mean(_losses(data._replace(config=run), evaluated, layout, scale))
        for run in (plain, config)
        if run.loss in BOUNDS
    }
    kl = {
        run.estimator: _mean(_divergences(data._replace(config=run), evaluated, layout, scale))
        for run in (bm25, config)
        if run.estimator != "none"
    }
    return {
        "batch_size": config.batch_size,
        "batches": len(evaluated.pairs) // config.batch_size,
        "mutual_information": information,
        "kl": kl,
    }


def _losses(data: Data, evaluated: Evaluated, layout: Layout, scale: float) -> Iterator[float]:
    loss = jax.jit(objective(data.config, scale))
    for q_BD, c_BD, batch in _drawn(data, evaluated, layout):
        yield float(loss(q_BD, c_BD, batch))


def _divergences(data: Data, evaluated: Evaluated, layout: Layout, scale: float) -> Iterator[float]:
    # A loss that reads similarities as they are has no temperature.
    usual = ESTIMATORS.get(data.config.estimator, {}).get("temperature", 1.0)
    temperature = data.config.temperature or usual
    for q_BD, c_BD, batch in _drawn(data, evaluated, layout):
        similarity_BN = batch.query_features @ batch.code_features.T
        score_BN = scale * (q_BD @ c_BD.T)
        yield float(divergence(similarity_BN, score_BN, temperature=temperature).mean())


def _drawn(
    data: Data, evaluated: Evaluated, layout: Layout
) -> Iterator[tuple[np.ndarray, np.ndarray, Batch]]:
    """Vectors and batches of one epoch; the estimator knows the evaluated pairs alone."""
    pairs, config = evaluated.pairs, data.config
    indices = batch_indices(len(pairs), config.batch_size, config.seed)
    alone = data._replace(train=list(pairs), config=dataclasses.replace(config, negatives=None))
    features = make_features(alone, layout, say=lambda _: None)
    drawn = batches(indices, pairs, layout, features, keys=config.duplicates != "keep")
    for n in range(len(pairs) // config.batch_size):
        index_B = np.asarray(indices[n])
        # Without texts, whose shapes differ, the loss is one program.
        batch = drawn[n]._replace(texts=None)
        yield evaluated.q_QD[index_B], evaluated.c_QD[index_B], batch


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))


def _log_softmax_of_negatives(x_BB: np.ndarray) -> np.ndarray:
    """Over each row without its diagonal, (B, B − 1)."""
    rows = len(x_BB)
    x_BM = x_BB[~np.eye(rows, dtype=bool)].reshape(rows, rows - 1)
    x_BM = x_BM - x_BM.max(axis=1, keepdims=True)
    return x_BM - np.log(np.exp(x_BM).sum(axis=1, keepdims=True))
