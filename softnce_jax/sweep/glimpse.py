"""A look at one batch of a run as its estimator sees it."""

from __future__ import annotations

import dataclasses
import textwrap
from collections import Counter
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from softnce_jax.data.corpus import Joined, Pair
from softnce_jax.encoders.processor import layout_of
from softnce_jax.mesh import make_mesh
from softnce_jax.pretrained.load import load
from softnce_jax.sweep.scores import Run
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config
from softnce_jax.train.features import frozen_estimators, make_features
from softnce_jax.train.setup import Data, read_corpora
from softnce_jax.weights import negative_weights

SHOWN = 14  # pairs of the batch, so that their queries can be read


class Glimpse(NamedTuple):
    """Some pairs of a batch.

    Attributes:
      queries: S texts, shortened.
      similarity: (S, S), of each query and each pair.
      weight: (S, S), as made in the whole batch.
    """

    queries: list[str]
    similarity: np.ndarray
    weight: np.ndarray


def glimpse(run: Run) -> Glimpse:
    """The first batch of a run: of its pairs those whose families are met most often, together."""
    encoder, _ = load(run.folder / "model")
    layout, data = layout_of(encoder), data_of(run)
    indices = batch_indices(len(data.train), data.config.batch_size, data.config.seed)
    batch = batches(indices, data.train, layout, make_features(data, layout))[0]
    similarity_BN = batch.query_features @ batch.code_features.T
    settings = {name: run.config[name] for name in ("alpha", "beta", "temperature", "floor")}
    w_BN = np.asarray(negative_weights(jnp.asarray(similarity_BN), **settings))
    pairs = [data.train[i] for i in np.asarray(indices[0])]
    chosen = together(pairs)[:SHOWN]
    texts = [textwrap.shorten(pairs[i].query, 38, placeholder=" …") for i in chosen]
    grid = np.ix_(chosen, chosen)
    return Glimpse(texts, similarity_BN[grid], w_BN[grid])


def data_of(run: Run) -> Data:
    """What a finished run was trained on; its configuration is settled already."""
    names = {field.name for field in dataclasses.fields(Config)} & run.config.keys()
    config = Config(**{name: run.config[name] for name in names})
    corpora, _ = read_corpora(config)
    train = Joined([corpus.train for corpus in corpora])
    return Data(config, corpora, train, make_mesh(), notes=[], frozen=frozen_estimators(config))


def together(pairs: list[Pair]) -> list[int]:
    """The pairs' places, families side by side, the largest families first.

    Example:
      >>> pairs = [Pair(f"q{f}", "c", "u", "go", f) for f in "abcb"]
      >>> together(pairs)
      [1, 3, 0, 2]
    """
    names = [pair.family or pair.query for pair in pairs]
    count = Counter(names)
    return sorted(range(len(pairs)), key=lambda i: (-count[names[i]], names[i], i))
