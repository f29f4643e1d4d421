"""A function and its data flow as the row that GraphCodeBERT reads, on the host.

A row is `<s>`, the pieces of the code, `</s>`, then a node for each edge's token. The (L, L) masks
are made on the device, from the spans and edges (`encoders/graph.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from softnce_jax.dataflow.walk import Edge

__all__ = ["Example", "Specials", "edge_capacity", "make_example"]

MIN_EDGE_CAPACITY = 64


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One function as a ragged row of one or two kB.

    Attributes:
      ids: int32, of the special tokens and pieces, then the unknown token for each of K nodes.
      spans: (K, 2) int16, the positions [a, b) of the pieces of each node's token; (0, 0) where
        they were cut off.
      edges: (E, 2) int16, the positions of a node and its parent.
    """

    ids: np.ndarray
    spans: np.ndarray
    edges: np.ndarray

    def __len__(self) -> int:
        """The number of positions."""
        return len(self.ids)


class Specials(NamedTuple):
    """The ids before and after a row's pieces, and the id of a node."""

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

    Code is cut so that `flow_length` nodes, or all if there are fewer, fit into
    `code_length + flow_length` positions; short code leaves room for more nodes.

    Args:
      pieces: the ids of each token.
      edges: each becomes a node; by the index of its token.
      specials: the ids that are not pieces.
      code_length: positions for special tokens and pieces.
      flow_length: positions that pieces leave for nodes.

    Returns:
      The Example. A parent is the last node of its token; parents that were cut off are dropped.

    Example:
      >>> pieces, edges = [[5], [6, 7], [8]], [(0, "comesFrom", ()), (2, "comesFrom", (0,))]
      >>> row = make_example(pieces, edges, Specials([0], [2], 3), code_length=6, flow_length=2)
      >>> row.ids.tolist(), row.spans.tolist(), row.edges.tolist()
      ([0, 5, 6, 7, 8, 2, 3, 3], [[1, 2], [4, 5]], [[7, 6]])

    The conversion of Guo et al., "GraphCodeBERT", ICLR 2021, as its published code makes it.
    """
    length = code_length + flow_length
    special = len(specials.head) + len(specials.tail)
    most_pieces = length - special - min(len(edges), flow_length)
    flat = [id for ids in pieces for id in ids][:most_pieces]
    tokens = [*specials.head, *flat, *specials.tail]
    nodes = edges[: length - len(tokens)]
    bounds = list(accumulate(map(len, pieces), initial=len(specials.head)))
    end = len(specials.head) + len(flat)  # of the pieces
    spans = [(bounds[token], bounds[token + 1]) for token, _, _ in nodes]
    # Of a token with several nodes the last one stays, as in the published conversion.
    node_of = {token: len(tokens) + node for node, (token, _, _) in enumerate(nodes)}
    pairs = [
        (len(tokens) + node, node_of[parent])
        for node, (_, _, parents) in enumerate(nodes)
        for parent in parents
        if parent in node_of
    ]
    return Example(
        np.array(tokens + [specials.node] * len(nodes), np.int32),
        np.array([(a, b) if b <= end else (0, 0) for a, b in spans], np.int16).reshape(-1, 2),
        np.array(pairs, np.int16).reshape(-1, 2),
    )


def edge_capacity(most: int) -> int:
    """Room for `most` edges in a row: a power of two, so that there are few shapes to compile."""
    return max(MIN_EDGE_CAPACITY, 1 << max(most - 1, 0).bit_length())
