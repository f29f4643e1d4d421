"""Embeds any number of texts: rows of similar length together, nothing dropped."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from softnce_jax.dataflow.example import Example, edge_room, graph_rows
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.retrieval.spread import spread

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
        self._by_rows = rows = NamedSharding(mesh, PartitionSpec("data"))
        whole = NamedSharding(mesh, PartitionSpec())
        embed = functools.partial(encoder.embed, key=key)
        self._embed = jax.jit(embed, in_shardings=(whole, rows), out_shardings=whole)

    def __call__(self, params: Any, ragged: Sequence[Sequence[int] | Example]) -> np.ndarray:
        """Vectors (n, D) float32 of n ragged rows of token ids or Examples, in their order."""
        vectors: list[np.ndarray] = [np.zeros(0)] * len(ragged)
        order = sorted(range(len(ragged)), key=lambda i: len(ragged[i]))
        for bucket, chosen in self._blocks(order, ragged):
            missing = self._rows(bucket) - len(chosen)
            rows = self._pad([ragged[i] for i in [*chosen, *chosen[-1:] * missing]], bucket)
            rows = spread(rows, self._by_rows)
            for i, vector_D in zip(chosen, np.asarray(self._embed(params, rows)), strict=False):
                vectors[i] = vector_D
        return np.stack(vectors)

    def _pad(self, ragged: list[Sequence[int]] | list[Example], bucket: int):
        """Rows as arrays of a bucket's length, at most that of the longest row there can be."""
        encoder = self.encoder
        if not isinstance(ragged[0], Example):
            return encoder.tokenizer.pad(ragged, min(bucket, encoder.max_length))
        # A node that sees nothing averages over its row: full rows keep the length of training.
        length = min(bucket, encoder.code_length + encoder.flow_length)
        edges = edge_room(max(len(example.edges) for example in ragged))
        return graph_rows(ragged, length, encoder.tokenizer.pad_id, edges=edges)

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
