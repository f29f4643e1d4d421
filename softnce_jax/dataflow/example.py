"""A function and its data flow as the row that GraphCodeBERT reads, on the host.

A row is `<s>`, the pieces of the code, `</s>`, then a node for each edge's token. Whole (L, L)
masks are never made here: the device makes them from the spans and edges (`encoders/graph.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from softnce_jax.dataflow.walk import Edge

FEWEST_EDGES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One function, ragged: a kB or two.

    Attributes:
      ids: of the special tokens and pieces, then the unknown token for each of K nodes; int32.
      spans: (K, 2) int16, the pieces [a, b) of each node's token; (0, 0) where they were cut off.
      edges: (E, 2) int16, pairs of a node and its parent, by their places in the row.
    """

    ids: np.ndarray
    spans: np.ndarray
    edges: np.ndarray

    def __len__(self) -> int:
        """Places of the row that it takes."""
        return len(self.ids)


class Specials(NamedTuple):
    """The ids around a row's pieces, and that of a node."""

    head: Sequence[int]
    tail: Sequence[int]
    node: int


def make_example(
    pieces: Sequence[Sequence[int]],
    edges: Sequence[Edge],
    specials: Specials,
    *,
    code_length: int,
    flow_length: int,
) -> Example:
    """The row of a function.

    Code is cut so that `flow_length` nodes, or as many as there are, find room in
    `code_length + flow_length` places; short code leaves room for more nodes.

    Args:
      pieces: the ids of each token.
      edges: of the tokens, by position; each becomes a node.
      specials: ids that are no pieces.
      code_length: places for special tokens and pieces.
      flow_length: places that pieces leave to nodes.

    Returns:
      The Example. Parents are the last node of a token; those that were cut off are dropped.

    Example:
      >>> pieces, edges = [[5], [6, 7], [8]], [(0, "comesFrom", ()), (2, "comesFrom", (0,))]
      >>> row = make_example(pieces, edges, Specials([0], [2], 3), code_length=6, flow_length=2)
      >>> row.ids.tolist(), row.spans.tolist(), row.edges.tolist()
      ([0, 5, 6, 7, 8, 2, 3, 3], [[1, 2], [4, 5]], [[7, 6]])

    The conversion of Guo et al., "GraphCodeBERT", ICLR 2021, as its published code makes it.
    """
    length = code_length + flow_length
    around = len(specials.head) + len(specials.tail)
    room = length - around - min(len(edges), flow_length)
    flat = [id for ids in pieces for id in ids][:room]
    tokens = [*specials.head, *flat, *specials.tail]
    nodes = edges[: length - len(tokens)]
    bounds = list(accumulate(map(len, pieces), initial=len(specials.head)))
    last = len(specials.head) + len(flat)
    spans = [(bounds[at], bounds[at + 1]) for at, _, _ in nodes]
    node_of = {at: len(tokens) + node for node, (at, _, _) in enumerate(nodes)}
    pairs = [
        (len(tokens) + node, node_of[parent])
        for node, (_, _, parents) in enumerate(nodes)
        for parent in parents
        if parent in node_of
    ]
    return Example(
        np.array(tokens + [specials.node] * len(nodes), np.int32),
        np.array([(a, b) if b <= last else (0, 0) for a, b in spans], np.int16).reshape(-1, 2),
        np.array(pairs, np.int16).reshape(-1, 2),
    )


def edge_room(most: int) -> int:
    """E for rows of at most so many edges: a power of two, so that shapes repeat."""
    return max(FEWEST_EDGES, 1 << max(most - 1, 0).bit_length())
