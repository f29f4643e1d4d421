"""Frozen estimators: their features never change, so they are made once for a training set."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.estimators.cache import cached


class Frozen(NamedTuple):
    """An estimator whose features depend on a pair's texts and on nothing that training changes.

    Attributes:
      name: how it is called on the command line.
      hash: of what it is: a model's fingerprint, a function's source.
      sides: which texts the features are made of.
      make: pairs and a folder, where blocks may be kept until all are made ->
        {"a": blocks, "b": blocks} of rows; without "b", b = a.
    """

    name: str
    hash: str
    sides: tuple[str, ...]
    make: Callable[[Sequence[Pair], Path], dict[str, Iterable[np.ndarray]]]


def frozen_features(
    estimator: Frozen,
    pairs: Sequence[Pair],
    *,
    folder: Path,
    say: Callable[[str], None],
) -> tuple[np.ndarray, np.ndarray]:
    """The features of a whole training set, from the cache or made now.

    What an interrupted program had embedded is not embedded again.

    Args:
      estimator: what makes them.
      pairs: R training pairs.
      folder: of the cache.
      say: takes one line for an entry that is damaged.

    Returns:
      (a, b): (R, F) float32 each, mapped into memory; the similarity of query i and pair j is the
      product of row i of a and row j of b.
    """
    texts = {
        "queries": [pair.query for pair in pairs],
        "codes": [text for pair in pairs for text in (pair.language, pair.code)],
    }
    about = {"estimator": estimator.name, "hash": estimator.hash}
    about |= {side: texts_hash(texts[side]) for side in estimator.sides}
    unfinished = folder / f"unfinished-{texts_hash([json.dumps(about)])[:32]}"
    matrices = cached(folder, about, lambda: estimator.make(pairs, unfinished), say)
    shutil.rmtree(unfinished, ignore_errors=True)
    return matrices["a"], matrices.get("b", matrices["a"])


def texts_hash(texts: Sequence[str]) -> str:
    """SHA-256 of texts in their order.

    Example:
      >>> texts_hash(["ab", "c"]) == texts_hash(["a", "bc"])
      False
    """
    digest = hashlib.sha256()
    for text in texts:
        digest.update(json.dumps(text).encode())
    return digest.hexdigest()


def own_devices(encoder: Encoder, params: Any) -> tuple[Embedder, Any]:
    """An Embedder on this host's own devices, for another host may find the features in its cache.

    And the parameters there.
    """
    devices = jax.local_devices()
    mesh = jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)
    return Embedder(encoder, mesh), jax.device_put(params, NamedSharding(mesh, PartitionSpec()))
