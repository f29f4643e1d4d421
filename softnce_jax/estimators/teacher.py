"""A trained model's similarity of query against code, the model frozen."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.fingerprint import fingerprint
from softnce_jax.encoders.processor import layout_of
from softnce_jax.estimators.precomputed import Frozen, own_devices
from softnce_jax.pretrained.load import load
from softnce_jax.retrieval.kept import embedded


def teacher(model: str, *, download: bool = False) -> Frozen:
    """The estimator of a trained text/code encoder: a its query vectors, b its code vectors.

    similarity_ij = q_i · c_j

    Args:
      model: a run folder, a model folder or a Hub id; its pooling, unit length or not, prefix,
        lengths and data flow are its own.
      download: whether a Hub id may be fetched.

    Returns:
      The Frozen estimator; its model is loaded when features are made.

    Raises:
      InputError: the model is not there.

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (trained model). The
    published code uses the encoder in training instead of a frozen one.
    """

    def make(pairs: Sequence[Pair], unfinished: Path) -> dict[str, Iterator[np.ndarray]]:
        encoder, params = load(model, download=download)
        layout, queries = layout_of(encoder), [pair.query for pair in pairs]
        of = functools.partial(embedded, *own_devices(encoder, params), folder=unfinished)
        return {
            "a": of(queries, layout.queries, what="teacher: queries"),
            "b": of(pairs, layout.codes, what="teacher: code"),
        }

    return Frozen("teacher", fingerprint(model, download=download), ("queries", "codes"), make)
