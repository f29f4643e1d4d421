"""The features of `--estimator`: a part for each of its terms, drawn with the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.estimators.bm25 import average_length, bm25_features, corpus_idf
from softnce_jax.estimators.function import function
from softnce_jax.estimators.precomputed import Frozen, frozen_features
from softnce_jax.estimators.sentence import sentence
from softnce_jax.estimators.spec import parse, weighted_sum
from softnce_jax.estimators.teacher import teacher
from softnce_jax.train.batches import Features, Layout
from softnce_jax.train.config import Config
from softnce_jax.train.setup import Data, cache_folder


def frozen_estimators(config: Config) -> dict[str, Frozen]:
    """Those of the configuration's estimators that training does not change, by name.

    Raises:
      InputError: a model or function that is not there.
    """
    if config.estimator == "none":
        return {}
    download = config.download
    makers = {
        "sentence": lambda: sentence(config.sentence_model, download=download),
        "teacher": lambda: teacher(config.teacher, download=download),
    }
    names = {term.name for term in parse(config.estimator)} - {"bm25"}
    return {n: makers[n]() if n in makers else function(n) for n in sorted(names)}


def make_features(
    data: Data, layout: Layout, say: Callable[[str], None] = print
) -> Features | None:
    """The estimator's features of a batch, None where the loss needs none."""
    config, frozen, folder = data.config, data.frozen, cache_folder(data.config.data, "features")
    if config.estimator == "none":
        return None
    terms = parse(config.estimator)
    parts = {
        term.name: bm25(data.train, layout, config)
        if term.name == "bm25"
        else drawn(frozen[term.name], data.train, folder, say)
        for term in terms
    }

    def features(
        index_B: np.ndarray, query_ids: list[list[int]], index_N: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        drawn = [parts[term.name](index_B, query_ids, index_N) for term in terms]
        return weighted_sum(terms, drawn)

    return features


def bm25(pairs: Sequence[Pair], layout: Layout, config: Config) -> Features:
    """BM25 of a batch's queries, with document frequencies of the batch or of all pairs."""
    ids = layout.queries([pair.query for pair in pairs])
    corpus = config.bm25_statistics == "corpus"
    average, idf = average_length(ids), corpus_idf(ids) if corpus else None
    lone_words = config.negatives is not None or reads_own_similarity(config)

    def features(index_B, query_ids, index_N):
        known = dict(zip(index_B.tolist(), query_ids, strict=True))
        new = [i for i in dict.fromkeys(index_N.tolist()) if i not in known]
        known |= zip(new, layout.queries([pairs[i].query for i in new]), strict=True)
        documents = [known[i] for i in index_N.tolist()]
        return bm25_features(
            query_ids, average, documents=documents, idf=idf, lone_words=lone_words
        )

    return features


def reads_own_similarity(config: Config) -> bool:
    """Whether a row's similarity to its own candidate decides anything: weights leave it out."""
    return config.loss == "cancel_threshold" or config.duplicates == "weight"


def drawn(
    estimator: Frozen, pairs: Sequence[Pair], folder: Path, say: Callable[[str], None]
) -> Features:
    """A frozen estimator's features of a batch, by its indices."""
    a_RF, b_RF = frozen_features(estimator, pairs, folder=folder, say=say)
    return lambda index_B, _, index_N: (a_RF[index_B], b_RF[index_N])
