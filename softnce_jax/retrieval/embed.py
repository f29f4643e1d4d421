"""Embeds any number of texts: rows of similar length together, nothing dropped."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from softnce_jax.encoders.encoder import Encoder

# Rows are padded to one of these lengths: one compilation each.
LENGTHS = (32, 64, 128, 256, 512, 1024)
TOKENS_PER_CALL = 8192


class Embedder:
    """The compiled forward pass of an encoder over the devices of a mesh.

    Args:
      encoder: makes the vectors.
      mesh: the devices.
      key: of dropout; None for no dropout.
    """

    def __init__(self, encoder: Encoder, mesh: Mesh, *, key: jax.Array | None = None):
        self.encoder = encoder
        self.mesh = mesh
        rows = NamedSharding(mesh, PartitionSpec("data"))
        whole = NamedSharding(mesh, PartitionSpec())
        embed = functools.partial(encoder.embed, key=key)
        self._embed = jax.jit(embed, in_shardings=(whole, rows), out_shardings=whole)

    def __call__(self, params: Any, ragged: Sequence[Sequence[int]]) -> np.ndarray:
        """Vectors (n, D) float32 of n ragged rows of token ids, in their order."""
        vectors: list[np.ndarray] = [np.zeros(0)] * len(ragged)
        order = sorted(range(len(ragged)), key=lambda i: len(ragged[i]))
        for bucket, chosen in self._blocks(order, ragged):
            length = min(bucket, self.encoder.max_length)
            ids_RL = self.encoder.tokenizer.pad([ragged[i] for i in chosen], length)
            missing = self._rows(bucket) - len(chosen)
            ids_RL = np.pad(ids_RL, ((0, missing), (0, 0)), mode="edge")
            for i, vector_D in zip(chosen, np.asarray(self._embed(params, ids_RL)), strict=False):
                vectors[i] = vector_D
        return np.stack(vectors)

    def _rows(self, length: int) -> int:
        """Rows of one call: as many on each device, about TOKENS_PER_CALL tokens in all."""
        each = max(1, TOKENS_PER_CALL // length // self.mesh.size)
        return each * self.mesh.size

    def _blocks(self, order: list[int], ragged: Sequence[Sequence[int]]):
        """Splits rows sorted by length into (padded length, rows) blocks."""
        start = 0
        for length in LENGTHS:
            end = start
            while end < len(order) and len(ragged[order[end]]) <= length:
                end += 1
            rows = self._rows(length)
            for first in range(start, end, rows):
                yield length, order[first : min(first + rows, end)]
            start = end
        if start < len(order):
            raise ValueError(f"{len(ragged[order[start]])} tokens, at most {LENGTHS[-1]} in a row")
