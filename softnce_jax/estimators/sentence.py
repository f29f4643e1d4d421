"""Sentence similarity of query against query: the cosine of two mean-pooled vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.fingerprint import fingerprint
from softnce_jax.encoders.processor import layout_of
from softnce_jax.estimators.precomputed import Frozen, own_devices
from softnce_jax.pretrained.load import load
from softnce_jax.retrieval.kept import embedded


def sentence(model: str, *, download: bool = False) -> Frozen:
    """The estimator of a sentence encoder: a = b = the queries' vectors at unit length.

    similarity_ij = cos(v_i, v_j),  v_i the mean of query i's last hidden states over its tokens

    Args:
      model: a run folder, a model folder or a Hub id, of any encoder that `load` takes.
      download: whether a Hub id may be fetched.

    Returns:
      The Frozen estimator; its model is loaded when features are made.

    Raises:
      InputError: the model is not there.

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (SimCSE estimator).
    """

    def make(pairs: Sequence[Pair], unfinished: Path) -> dict[str, Iterator[np.ndarray]]:
        encoder, params = load(model, pooling="mean", download=download)
        encoder = dataclasses.replace(encoder, normalize=True)
        to_rows, queries = layout_of(encoder).queries, [pair.query for pair in pairs]
        of = own_devices(encoder, params)
        what = "sentence: queries"
        return {"a": embedded(*of, queries, to_rows, folder=unfinished, what=what)}

    return Frozen("sentence", fingerprint(model, download=download), ("queries",), make)
