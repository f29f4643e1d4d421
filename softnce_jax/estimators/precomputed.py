"""Precomputed estimators: their features never change, so they are made once for a training set.

`sentence` and `teacher` are encoders that training does not change; estimators/function.py makes
one of a user's function.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from softnce_jax.data.corpus import Pair, code_texts
from softnce_jax.encoders.embed import Embedder, embed_blocks
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Processor
from softnce_jax.estimators.cache import cached
from softnce_jax.files import discard_folder
from softnce_jax.mesh import make_mesh, replicated
from softnce_jax.pretrained.load import fingerprint, load

__all__ = ["Precomputed", "precomputed_features", "sentence", "teacher"]


class Precomputed(NamedTuple):
    """An estimator whose features depend on a pair's texts and on nothing that training changes.

    Attributes:
      name: its name on the command line.
      hash: of the model or of the function's source.
      sides: which texts the features depend on, "queries" and "codes".
      make: pairs and a folder, where blocks may be stored until all are made →
        {"a": blocks, "b": blocks} of rows; without "b", b = a.
    """

    name: str
    hash: str
    sides: tuple[str, ...]
    make: Callable[[Sequence[Pair], Path], dict[str, Iterable[np.ndarray]]]


def precomputed_features(
    estimator: Precomputed, pairs: Sequence[Pair], *, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """The features of a whole training set, from the cache or made now.

    Blocks that an interrupted program has embedded are not embedded again.

    Args:
      estimator: makes the features.
      pairs: R training pairs.
      folder: of the cache.

    Returns:
      (a, b): (R, F) float32 each, mapped into memory; the similarity of query i and pair j is the
      product of row i of a and row j of b.
    """
    texts = {
        "queries": [pair.query for pair in pairs],
        # With the language, by whose grammar a teacher's data flow is extracted.
        "codes": [text for pair in pairs for text in (pair.language, pair.code)],
    }
    # The keys and the order are those of entries that are in users' caches.
    inputs = {"estimator": estimator.name, "hash": estimator.hash}
    inputs |= {side: _texts_hash(texts[side]) for side in estimator.sides}
    if "codes" in estimator.sides and any(len(code_texts(pair)) > 1 for pair in pairs):
        inputs["sources"] = _texts_hash(pair.source for pair in pairs)
    unfinished = folder / f"unfinished-{_texts_hash([json.dumps(inputs)])[:32]}"
    matrices = cached(folder, inputs, lambda: estimator.make(pairs, unfinished))
    if unfinished.exists():
        discard_folder(unfinished)
    return matrices["a"], matrices.get("b", matrices["a"])


def sentence(model: str, *, download: bool = False) -> Precomputed:
    """The estimator of a sentence encoder: a = b = the queries' vectors at unit length.

    similarity_ij = cos(v_i, v_j),  v_i the mean of query i's last hidden states over its tokens

    Args:
      model: a run folder, a model folder or a Hub id, of any encoder that `load` takes.
      download: whether a Hub id may be fetched.

    Returns:
      The Precomputed estimator; its model is loaded when features are made.

    Raises:
      InputError: the model is not there.

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (SimCSE estimator).
    """

    def make(pairs: Sequence[Pair], unfinished: Path) -> dict[str, Iterator[np.ndarray]]:
        encoder, params = load(model, pooling="mean", download=download)
        encoder = dataclasses.replace(encoder, normalize=True)
        processor, queries = Processor.of(encoder), [pair.query for pair in pairs]
        embed = functools.partial(
            embed_blocks, *_on_local_devices(encoder, params), folder=unfinished
        )
        return {"a": embed(queries, processor.queries, title="sentence: queries")}

    return Precomputed("sentence", fingerprint(model, download=download), ("queries",), make)


def teacher(model: str, *, download: bool = False) -> Precomputed:
    """The estimator of a trained text/code encoder: a its query vectors, b its code vectors.

    similarity_ij = q_i · c_j

    Args:
      model: a run folder, a model folder or a Hub id; its pooling, unit length or not, prefix,
        lengths and data flow are its own.
      download: whether a Hub id may be fetched.

    Returns:
      The Precomputed estimator; its model is loaded when features are made.

    Raises:
      InputError: the model is not there.

    Source: Li et al., "Rethinking Negative Pairs in Code Search", EMNLP 2023 (trained model). The
    published code uses the encoder in training instead of a frozen one.
    """

    def make(pairs: Sequence[Pair], unfinished: Path) -> dict[str, Iterator[np.ndarray]]:
        encoder, params = load(model, download=download)
        encoder = encoder.for_ranking()
        processor, queries = Processor.of(encoder), [pair.query for pair in pairs]
        embed = functools.partial(
            embed_blocks, *_on_local_devices(encoder, params), folder=unfinished
        )
        return {
            "a": embed(queries, processor.queries, title="teacher: queries"),
            "b": embed(pairs, processor.codes, title="teacher: code"),
        }

    return Precomputed("teacher", fingerprint(model, download=download), ("queries", "codes"), make)


def _texts_hash(texts: Iterable[str]) -> str:
    """SHA-256 of texts in their order.

    Example:
      >>> _texts_hash(["ab", "c"]) == _texts_hash(["a", "bc"])
      False
    """
    digest = hashlib.sha256()
    for text in texts:
        digest.update(json.dumps(text).encode())
    return digest.hexdigest()


def _on_local_devices(encoder: Encoder, params: Any) -> tuple[Embedder, Any]:
    """An Embedder on this host's own devices, and the parameters on them.

    Not on the devices of all hosts: a host that has the features in its cache would not take part.
    """
    mesh = make_mesh(jax.local_devices())
    return Embedder(encoder, mesh), jax.device_put(params, replicated(mesh))
