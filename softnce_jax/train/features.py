"""The features of `--estimator`: the weighted sum of its terms, each computed for a batch.

A precomputed term, a model's or a function's, is looked up by index; BM25 is that of the batch.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from softnce_jax import registry
from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.processor import Processor
from softnce_jax.estimators.bm25 import average_length, bm25_features, corpus_idf
from softnce_jax.estimators.function import function
from softnce_jax.estimators.precomputed import Precomputed, precomputed_features
from softnce_jax.estimators.spec import parse, weighted_sum
from softnce_jax.train.batches import Features
from softnce_jax.train.config import Config


def precomputed_estimators(config: Config) -> dict[str, Precomputed]:
    """The configuration's estimators that training does not change, by name.

    Raises:
      InputError: a model or function that is not there.
    """
    if config.estimator == "none":
        return {}
    estimators = {}
    for name in sorted({term.name for term in parse(config.estimator)}):
        row = registry.estimator(name)
        if name not in registry.ESTIMATORS:
            estimators[name] = function(name)
        elif row.function is not None:
            make = registry.resolve(row.function)
            if row.model is not None:
                make = functools.partial(make, getattr(config, row.model), download=config.download)
            estimators[name] = make()
    return estimators


def make_features(
    config: Config,
    pairs: Sequence[Pair],
    processor: Processor,
    precomputed: Mapping[str, Precomputed],
    cache_folder: Path,
) -> Features | None:
    """The estimator's features of a batch of the pairs, None where the loss needs none.

    Args:
      config: settled.
      pairs: whose indices batches have.
      processor: tokenizes queries.
      precomputed: as of `precomputed_estimators`.
      cache_folder: of precomputed features.
    """
    if config.estimator == "none":
        return None
    terms = parse(config.estimator)
    by_name = {
        term.name: precomputed_rows(precomputed[term.name], pairs, cache_folder)
        if term.name in precomputed
        else bm25(pairs, processor, config)
        for term in terms
    }

    def features(index_B, query_ids, index_N) -> tuple[np.ndarray, np.ndarray]:
        each = [by_name[term.name](index_B, query_ids, index_N) for term in terms]
        return weighted_sum(terms, each)

    return features


def bm25(pairs: Sequence[Pair], processor: Processor, config: Config) -> Features:
    """BM25 of a batch's queries, with document frequencies of the batch or of all pairs."""
    # Without a prompt, which all queries would share.
    ids = processor.words([pair.query for pair in pairs])
    corpus = config.bm25_statistics == "corpus"
    average, idf = average_length(ids), corpus_idf(ids) if corpus else None
    with_lone_words = reads_lone_words(config)

    def features(index_B, query_ids, index_N):
        if processor.query_prompt:
            query_ids = processor.words([pairs[i].query for i in index_B])
        ids_of = dict(zip(index_B.tolist(), query_ids, strict=True))
        new = [i for i in dict.fromkeys(index_N.tolist()) if i not in ids_of]
        ids_of |= zip(new, processor.words([pairs[i].query for i in new]), strict=True)
        documents = [ids_of[i] for i in index_N.tolist()]
        return bm25_features(
            query_ids, average, documents=documents, idf=idf, lone_words=with_lone_words
        )

    return features


def reads_lone_words(config: Config) -> bool:
    """Whether BM25's words of one query alone have columns.

    They count only towards the query's positive, which weights never read, or towards a hard
    negative that has them.
    """
    similarity_is_target = registry.loss(config.loss).target == "similarity"
    return config.negatives is not None or similarity_is_target or config.duplicates == "weight"


def precomputed_rows(estimator: Precomputed, pairs: Sequence[Pair], cache_folder: Path) -> Features:
    """A precomputed estimator's features: those of all pairs, looked up by a batch's indices."""
    a_RF, b_RF = precomputed_features(estimator, pairs, folder=cache_folder)
    return lambda index_B, _, index_N: (a_RF[index_B], b_RF[index_N])
