"""A trained model's similarity of query against code, the model frozen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from softnce_jax.encoders.checkpoints import load
from softnce_jax.encoders.fingerprint import fingerprint
from softnce_jax.estimators.frozen import Frozen, embedded


def teacher(model: str, *, download: bool = False) -> Frozen:
    """The estimator of a trained text/code encoder: a its query vectors, b its code vectors.

    similarity_ij = q_i · c_j

    Args:
      model: a run folder, a model folder or a Hub id; its pooling, unit length or not, prefix and
        lengths are its own.
      download: whether a Hub id may be fetched.

    Returns:
      The Frozen estimator; its model is loaded when features are made.

    Raises:
      InputError: the model is not there.

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (trained model). The
    published code uses the encoder in training instead of a frozen one.
    """

    def make(queries: Sequence[str], codes: Sequence[str]) -> dict[str, Iterator[np.ndarray]]:
        encoder, params = load(model, download=download)
        return {
            "a": embedded(encoder, params, queries, encoder.query_length, what="teacher: queries"),
            "b": embedded(encoder, params, codes, encoder.code_length, what="teacher: code"),
        }

    return Frozen("teacher", fingerprint(model, download=download), ("queries", "codes"), make)
