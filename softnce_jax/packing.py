"""Texts of different lengths laid out in arrays of few shapes, in which few positions are padding.

On the host, in numpy. For a transformer texts are packed into rows of one length. A row goes to the
device with what separates its texts: the number of the text at each position, from which the
attention mask is made, and the position within that text. No text is cut or left out; instead, the
number of rows is rounded up to one of few sizes. For a static encoder, whose tokens do not see one
another, all texts lie end to end in `Bags`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from softnce_jax.dataflow.example import Example

if TYPE_CHECKING:
    from jaxtyping import Int

__all__ = [
    "PADDING",
    "Bags",
    "Capacity",
    "PackedRows",
    "Plan",
    "Text",
    "bags",
    "bucket",
    "distinct_tokens",
    "fill",
    "first_fit",
    "one_per_row",
    "sizes",
    "slots_per_row",
]

POSITIONS_PER_SLOT = 8  # a row of L positions holds at most L / 8 texts
PADDING = -1  # in place of the number, slot or span of a text, where there is none

Text = Sequence[int] | np.ndarray | Example


class PackedRows(NamedTuple):
    """R rows of L positions in each of G groups, the shares of devices or slices; a pytree.

    Attributes:
      ids: (G, R, L) int32, token ids, padded.
      segment_ids: (G, R, L) int32, the number in the batch of the text at a position; -1 for
        padding.
      positions: (G, R, L) int16, the position within that text.
      slots: (G, R, L) int16, the number of that text within its row; -1 for padding.
      spans: (G, R, L, 2) int16, the positions [a, b) of the token that a data-flow node stands
        for, -1 where there is no node; None without data flow.
      edges: (G, R, E, 2) int16, positions of a node and its parent, padded with L; None without.
    """

    ids: np.ndarray
    segment_ids: np.ndarray
    positions: np.ndarray
    slots: np.ndarray
    spans: np.ndarray | None = None
    edges: np.ndarray | None = None


class Bags(NamedTuple):
    """The tokens of T texts in each of G groups, end to end, for a static encoder; a pytree.

    A token that a text repeats stands there once: of code about a quarter remains.

    Attributes:
      ids: (G, P) int32, token ids, padded.
      counts: (G, P) int32, how often the text has the token.
      texts: (G, P) int32, rising: the number within the group of the text at a position; T for
        padding.
      sizes: (G, T) int32, the tokens of each text, repetitions included.
    """

    ids: np.ndarray
    counts: np.ndarray
    texts: np.ndarray
    sizes: np.ndarray


class Capacity(NamedTuple):
    """What a row holds at most: tokens and, with data flow, edges."""

    length: int
    edges: int = 0

    @property
    def slots(self) -> int:
        """Texts."""
        return slots_per_row(self.length)


class Plan(NamedTuple):
    """The row of each text, and its first position, slot and edge there."""

    row_T: np.ndarray
    start_T3: np.ndarray

    @property
    def rows(self) -> int:
        """The number of rows needed."""
        return int(self.row_T.max(initial=-1)) + 1

    def slot_T(self, slots: int) -> Int[np.ndarray, " T"]:
        """The index of each text among the slots of all rows, `slots` a row."""
        return (self.row_T * slots + self.start_T3[:, 1]).astype(np.int32)


def slots_per_row(length: int) -> int:
    """The number of texts that a row of `length` positions holds at most."""
    return max(1, length // POSITIONS_PER_SLOT)


def sizes(texts: Sequence[Text], capacity: Capacity) -> Int[np.ndarray, "T 3"]:
    """What each text takes of a row: positions, one slot, edges.

    A text with a node whose token was cut off takes a whole row: such a node may attend to
    nothing, so it averages over the row, where no other text may be.
    """

    def size(text: Text) -> tuple[int, int, int]:
        if not isinstance(text, Example):
            return len(text), 1, 0
        alone = (text.spans[:, 0] >= text.spans[:, 1]).any()
        return max(len(text), capacity.length * alone), 1, len(text.edges)

    return np.array([size(text) for text in texts]).reshape(-1, 3)


def first_fit(size_T3: Int[np.ndarray, "T 3"], capacity: Capacity) -> Plan:
    """Packs texts, the longest first, each into the first row that has room for it.

    Args:
      size_T3: positions, slots and edges of each text, from `sizes`.
      capacity: of a row.

    Returns:
      A plan with few rows more than the fewest possible.

    Raises:
      ValueError: a text is larger than a row.

    Example:
      >>> capacity = Capacity(16)
      >>> plan = first_fit(sizes([[7] * 5, [7] * 9, [7] * 3, [7] * 6], capacity), capacity)
      >>> plan.row_T.tolist(), plan.start_T3[:, 0].tolist(), plan.rows
      ([1, 0, 1, 0], [0, 0, 5, 9], 2)
    """
    _check_sizes(size_T3, capacity)
    capacity_3 = np.array([capacity.length, capacity.slots, capacity.edges])
    free_R3 = np.tile(capacity_3, (len(size_T3) + 1, 1))
    plan = Plan(np.zeros(len(size_T3), int), np.zeros((len(size_T3), 3), int))
    used = 0
    # The longest first, and stable: the plan depends on the sizes alone, on every host.
    for text in np.argsort(-size_T3[:, 0], kind="stable"):
        # The first row that fits; the one after those in use is empty, so there is one.
        row = int(np.argmax((free_R3[: used + 1] >= size_T3[text]).all(axis=1)))
        plan.row_T[text], plan.start_T3[text] = row, capacity_3 - free_R3[row]
        free_R3[row] -= size_T3[text]
        used = max(used, row + 1)
    return plan


def one_per_row(size_T3: Int[np.ndarray, "T 3"], capacity: Capacity) -> Plan:
    """The plan that pads instead of packing: each text in a row of its own.

    Raises:
      ValueError: a text is larger than a row.
    """
    _check_sizes(size_T3, capacity)
    return Plan(np.arange(len(size_T3)), np.zeros((len(size_T3), 3), int))


def _check_sizes(size_T3: Int[np.ndarray, "T 3"], capacity: Capacity) -> None:
    capacity_3 = np.array([capacity.length, capacity.slots, capacity.edges])
    if (size_T3 > capacity_3).any():
        text = int(np.argmax((size_T3 > capacity_3).any(axis=1)))
        tokens, _, edges = size_T3[text]
        raise ValueError(
            f"text {text} has {tokens} tokens and {edges} edges, more than the {capacity.length} "
            f"positions and {capacity.edges} edges of a row"
        )


def bucket(rows: int) -> int:
    """The number of rows rounded up to one of few sizes, eight in each octave.

    Every size is compiled once, so there must be few.

    Example:
      >>> [bucket(rows) for rows in (1, 7, 17, 100)]
      [1, 7, 18, 104]
    """
    step = 1 << max(0, rows.bit_length() - 4)
    return -(-rows // step) * step


def fill(
    groups: Sequence[Sequence[Text]],
    plans: Sequence[Plan],
    numbers: Sequence[Sequence[int]],
    *,
    rows: int,
    capacity: Capacity,
    pad_id: int,
) -> PackedRows:
    """Packed rows of several groups of texts.

    Args:
      groups: G lists of texts: ragged token ids or Examples.
      plans: of each group, where its texts go.
      numbers: of each group, the numbers of its texts in the batch.
      rows: R, of each group.
      capacity: of a row; has edges if texts have data flow.
      pad_id: fills the ids.

    Returns:
      The rows; with spans and edges if `capacity` has edges.

    Example:
      >>> texts, capacity = [[5, 6], [7, 8, 9]], Capacity(16)
      >>> packed = fill([texts], [first_fit(sizes(texts, capacity), capacity)], [[0, 1]],
      ...               rows=1, capacity=capacity, pad_id=1)
      >>> packed.ids[0, 0, :6].tolist(), packed.segment_ids[0, 0, :6].tolist()
      ([7, 8, 9, 5, 6, 1], [1, 1, 1, 0, 0, -1])
    """
    texts = [*chain.from_iterable(groups)]
    row_T = np.concatenate([plan.row_T + g * rows for g, plan in enumerate(plans)])
    start_T3 = np.concatenate([plan.start_T3 for plan in plans])
    length_T = np.array([len(text) for text in texts], int)
    # All tokens end to end (P), and where each one goes.
    row_P, position_P = np.repeat(row_T, length_T), _ramps(length_T)
    column_P = np.repeat(start_T3[:, 0], length_T) + position_P
    ids = [np.asarray(text.ids if isinstance(text, Example) else text, np.int32) for text in texts]
    shape = (len(groups) * rows, capacity.length)

    def array(value_P, dtype, padding):
        array_RL = np.full(shape, padding, dtype)
        array_RL[row_P, column_P] = value_P
        return array_RL.reshape(len(groups), rows, capacity.length)

    packed = PackedRows(
        array(np.concatenate(ids), np.int32, pad_id),
        array(np.repeat([*chain.from_iterable(numbers)], length_T), np.int32, PADDING),
        array(position_P, np.int16, 0),
        array(np.repeat(start_T3[:, 1], length_T), np.int16, PADDING),
    )
    if not capacity.edges:
        return packed
    spans, edges = _graphs(texts, row_T, start_T3, shape, capacity.edges)
    split = (len(groups), rows, -1, 2)
    return packed._replace(spans=spans.reshape(split), edges=edges.reshape(split))


def bags(groups: Sequence[Sequence[Sequence[int] | np.ndarray]], *, tokens: int) -> Bags:
    """Texts of several groups as bags of tokens.

    Args:
      groups: G lists of T texts each, as ragged token ids.
      tokens: P, at least the different tokens of the texts of any group, as of `distinct_tokens`.

    Returns:
      The bags.

    Raises:
      ValueError: a group has more tokens than P.

    Example:
      >>> laid = bags([[[5, 6, 5], [], [8]]], tokens=5)
      >>> laid.ids.tolist(), laid.counts.tolist(), laid.texts.tolist()
      ([[5, 6, 8, 0, 0]], [[2, 1, 1, 0, 0]], [[0, 0, 2, 3, 3]])
    """
    size_GT = np.array([[len(text) for text in texts] for texts in groups], np.int32)
    counted = [_count(texts) for texts in groups]
    most = max(len(text_E) for text_E, _, _ in counted)
    if most > tokens:
        raise ValueError(
            f"a group has {most} different tokens, more than the {tokens} positions of its bags"
        )
    shape = (len(groups), tokens)
    ids_GP, count_GP = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    text_GP = np.full(shape, size_GT.shape[1], np.int32)
    for g, (text_E, ids_E, count_E) in enumerate(counted):
        used = slice(len(text_E))
        text_GP[g, used], ids_GP[g, used], count_GP[g, used] = text_E, ids_E, count_E
    return Bags(ids_GP, count_GP, text_GP, size_GT)


def distinct_tokens(texts: Sequence[Sequence[int] | np.ndarray]) -> Int[np.ndarray, " T"]:
    """How many different tokens each text has.

    Example:
      >>> distinct_tokens([[5, 6, 5], [], [8]]).tolist()
      [2, 0, 1]
    """
    return np.bincount(_count(texts)[0], minlength=len(texts))


def _count(texts: Sequence[Sequence[int] | np.ndarray]) -> tuple[np.ndarray, ...]:
    """An entry for each text and each token in it, in their order: text, token, count."""
    text_P = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    ids_P = np.concatenate([np.zeros(0), *texts]).astype(np.int64)
    # Text and token as one number, so that a single sort counts all of them.
    base = ids_P.max(initial=0) + 1
    entry, count_E = np.unique(text_P * base + ids_P, return_counts=True)
    return *np.divmod(entry, base), count_E


def _graphs(
    texts: Sequence[Text],
    row_T: np.ndarray,
    start_T3: np.ndarray,
    shape: tuple[int, int],
    edges: int,
) -> tuple[Int[np.ndarray, "R L 2"], Int[np.ndarray, "R E 2"]]:
    """Spans and edges of rows, in positions counted from the start of the row."""
    span_RL2 = np.full((*shape, 2), PADDING, np.int16)
    edge_RE2 = np.full((shape[0], edges, 2), shape[1], np.int16)
    for text, row, (start, _, edge) in zip(texts, row_T, start_T3, strict=True):
        if isinstance(text, Example):
            end = start + len(text)
            span_RL2[row, end - len(text.spans) : end] = text.spans + start
            edge_RE2[row, edge : edge + len(text.edges)] = text.edges + start
    return span_RL2, edge_RE2


def _ramps(length_T: Int[np.ndarray, " T"]) -> Int[np.ndarray, " P"]:
    """Counts from 0 to each length, end to end.

    Example:
      >>> _ramps(np.array([2, 3])).tolist()
      [0, 1, 0, 1, 2]
    """
    return np.arange(length_T.sum()) - np.repeat(np.cumsum(length_T) - length_T, length_T)
