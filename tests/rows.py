"""Texts each in a packed row of its own, the plan of `--layout padded`, and their vectors."""

from __future__ import annotations

from softnce_jax.packing import Capacity, PackedRows, fill, one_per_row, sizes


def padded_rows(texts, length: int, *, edges: int = 0, pad_id: int = 1) -> PackedRows:
    """Token ids or Examples as rows of one group: text r is in the first slot of row r."""
    capacity = Capacity(length, edges)
    plan = one_per_row(sizes(texts, capacity), capacity)
    numbers = range(len(texts))
    return fill([texts], [plan], [numbers], rows=len(texts), capacity=capacity, pad_id=pad_id)


def row_vectors(encoder, params, rows: PackedRows, **options):
    """The vector of the first text of each row of one group, (R, D)."""
    (vector_SD,) = encoder.embed(params, rows, **options)
    return vector_SD.reshape(rows.ids.shape[1], -1, vector_SD.shape[-1])[:, 0]
