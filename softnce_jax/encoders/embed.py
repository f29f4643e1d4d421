"""Embeds any number of texts, packed into rows; nothing dropped."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from softnce_jax.dataflow.example import Example, edge_room
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.packing import PackedRows, Plan, Room, fill, first_fit, sizes
from softnce_jax.retrieval.spread import spread

SHORTEST_ROW = 64
TOKENS_PER_CALL = 8192
TEXTS_PER_PLAN = 2048  # packed together: the time of a plan grows with their square


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
        self._split = NamedSharding(mesh, PartitionSpec("data"))
        whole = NamedSharding(mesh, PartitionSpec())
        embed = functools.partial(encoder.embed, key=key)
        self._embed = jax.jit(embed, in_shardings=(whole, self._split), out_shardings=whole)

    def __call__(self, params: Any, ragged: Sequence[Sequence[int] | Example]) -> np.ndarray:
        """Vectors (n, D) float32 of n ragged rows of token ids or Examples, in their order."""
        room = self._room(ragged)
        size_T3 = sizes(ragged, room)
        vectors: list[np.ndarray] = [np.zeros(0)] * len(ragged)
        for chosen, plan, rows in self._calls(size_T3, room):
            texts = self._rows([ragged[i] for i in chosen], chosen, plan, rows, room)
            found_SD = np.concatenate(np.asarray(self._embed(params, texts)))
            for i, slot in zip(chosen, plan.slot_T(room.slots), strict=True):
                vectors[i] = found_SD[slot]
        return np.stack(vectors)

    def _room(self, ragged: Sequence[Sequence[int] | Example]) -> Room:
        """Rows as short as the longest text allows, in few lengths; with data flow always full."""
        encoder = self.encoder
        longest = max(encoder.query_length, encoder.code_length + encoder.flow_length)
        if isinstance(ragged[0], Example):
            return Room(longest, edge_room(max(len(example.edges) for example in ragged)))
        return Room(min(longest, max(SHORTEST_ROW, power_of_two(max(map(len, ragged))))))

    def _calls(self, size_T3: np.ndarray, room: Room) -> Iterator[tuple[np.ndarray, Plan, int]]:
        """The texts of each call, where they go and in how many rows."""
        plan = plan_all(size_T3, room)
        devices = self.mesh.size
        most = max(1, TOKENS_PER_CALL // room.length // devices) * devices
        for first in range(0, plan.rows, most):
            left = power_of_two(-(-(plan.rows - first) // devices)) * devices
            chosen = np.flatnonzero((first <= plan.row_T) & (plan.row_T < first + most))
            own = Plan(plan.row_T[chosen] - first, plan.start_T3[chosen])
            yield chosen, own, min(most, left)

    def _rows(self, texts, numbers, plan: Plan, rows: int, room: Room) -> PackedRows:
        """Packed rows on the devices, each a group of as many."""
        pad_id = self.encoder.tokenizer.pad_id
        packed = fill([texts], [plan], [numbers], rows=rows, room=room, pad_id=pad_id)

        by_device = jax.tree.map(lambda x: x.reshape(self.mesh.size, -1, *x.shape[2:]), packed)
        return spread(by_device, self._split)


def plan_all(size_T3: np.ndarray, room: Room) -> Plan:
    """One plan of many texts, packed some thousand at a time."""
    parts, rows = [], 0
    for start in range(0, len(size_T3), TEXTS_PER_PLAN):
        part = first_fit(size_T3[start : start + TEXTS_PER_PLAN], room)
        parts.append(part._replace(row_T=part.row_T + rows))
        rows += part.rows
    return Plan(*map(np.concatenate, zip(*parts, strict=True)))


def power_of_two(least: int) -> int:
    """The smallest that is at least so much."""
    return 1 << max(0, least - 1).bit_length()
