"""Texts of different lengths packed into rows of one length, so that few places are padding.

On the host, in numpy. The rows go to the device with what tells the texts of a row apart: the
number of each place's text, which makes the attention mask, and its place within the text, which
makes the position. Nothing is cut and nothing left out; rows are counted in few sizes instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from softnce_jax.dataflow.example import Example

if TYPE_CHECKING:
    from jaxtyping import Int

FEWEST_PLACES = 8  # a row holds at most so many texts as if each had this many places
NOWHERE = -1

Text = Sequence[int] | np.ndarray | Example


class PackedRows(NamedTuple):
    """R rows of L places in each of G groups, the shares of devices or slices; a pytree.

    Attributes:
      ids: (G, R, L) int32, padded.
      text: (G, R, L) int32, the number of a place's text in the batch; -1 where none is.
      place: (G, R, L) int16, which place of its text it is.
      slot: (G, R, L) int16, which text of its row it is; -1 where none is.
      spans: (G, R, L, 2) int16, the places [a, b) that a data-flow node stands for, -1 where no
        node is; None without data flow.
      edges: (G, R, E, 2) int16, places of a node and its parent, padded with L; None without.
    """

    ids: np.ndarray
    text: np.ndarray
    place: np.ndarray
    slot: np.ndarray
    spans: np.ndarray | None = None
    edges: np.ndarray | None = None


class Room(NamedTuple):
    """What a row holds: places, and with data flow edges."""

    length: int
    edges: int = 0

    @property
    def slots(self) -> int:
        """Texts of a row at most."""
        return slots_of(self.length)


class Plan(NamedTuple):
    """Where texts go: the row of each, and its first place, slot and edge there."""

    row_T: np.ndarray
    start_T3: np.ndarray

    @property
    def rows(self) -> int:
        """How many rows they take."""
        return int(self.row_T.max(initial=-1)) + 1

    def slot_T(self, slots: int) -> Int[np.ndarray, " T"]:
        """Each text's slot among those of all rows."""
        return (self.row_T * slots + self.start_T3[:, 1]).astype(np.int32)


def slots_of(length: int) -> int:
    """Texts of a row of so many places at most."""
    return max(1, length // FEWEST_PLACES)


def sizes(texts: Sequence[Text], room: Room) -> Int[np.ndarray, "T 3"]:
    """What each text takes of a row: places, one slot, edges.

    A text with a node that stands for no piece takes a whole row: such a node may see nothing and
    then averages over its row, so nobody else may be there.
    """

    def size(text: Text) -> tuple[int, int, int]:
        if not isinstance(text, Example):
            return len(text), 1, 0
        alone = (text.spans[:, 0] >= text.spans[:, 1]).any()
        return max(len(text), room.length * alone), 1, len(text.edges)

    return np.array([size(text) for text in texts]).reshape(-1, 3)


def first_fit(size_T3: Int[np.ndarray, "T 3"], room: Room) -> Plan:
    """Packs texts, the longest first, each into the first row with room for it.

    Args:
      size_T3: places, slots and edges of each text, as of `sizes`.
      room: of a row.

    Returns:
      The plan, in few more rows than the best there is.

    Raises:
      ValueError: a text is larger than a row.

    Example:
      >>> room = Room(16)
      >>> plan = first_fit(sizes([[7] * 5, [7] * 9, [7] * 3, [7] * 6], room), room)
      >>> plan.row_T.tolist(), plan.start_T3[:, 0].tolist(), plan.rows
      ([1, 0, 1, 0], [0, 0, 5, 9], 2)
    """
    _check_sizes(size_T3, room)
    capacity_3 = np.array([room.length, room.slots, room.edges])
    free_R3 = np.tile(capacity_3, (len(size_T3) + 1, 1))
    plan = Plan(np.zeros(len(size_T3), int), np.zeros((len(size_T3), 3), int))
    used = 0
    for text in np.argsort(-size_T3[:, 0], kind="stable"):
        row = int(np.argmax((free_R3[: used + 1] >= size_T3[text]).all(axis=1)))
        plan.row_T[text], plan.start_T3[text] = row, capacity_3 - free_R3[row]
        free_R3[row] -= size_T3[text]
        used = max(used, row + 1)
    return plan


def one_per_row(size_T3: Int[np.ndarray, "T 3"], room: Room) -> Plan:
    """The plan that pads instead of packing: each text in a row of its own.

    Raises:
      ValueError: a text is larger than a row.
    """
    _check_sizes(size_T3, room)
    return Plan(np.arange(len(size_T3)), np.zeros((len(size_T3), 3), int))


def _check_sizes(size_T3: Int[np.ndarray, "T 3"], room: Room) -> None:
    capacity_3 = np.array([room.length, room.slots, room.edges])
    if (size_T3 > capacity_3).any():
        text = int(np.argmax((size_T3 > capacity_3).any(axis=1)))
        tokens, _, edges = size_T3[text]
        raise ValueError(
            f"text {text} has {tokens} tokens and {edges} edges, more than the {room.length} "
            f"positions and {room.edges} edges of a row"
        )


def bucket(rows: int) -> int:
    """The number of rows rounded up to one of few sizes, eight in an octave.

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
    room: Room,
    pad_id: int,
) -> PackedRows:
    """The rows of several groups of texts.

    Args:
      groups: G lists of ragged token ids or Examples.
      plans: where the texts of each group go.
      numbers: the number of each text in the batch.
      rows: R, of each group.
      room: of a row; with edges for texts with data flow.
      pad_id: of the ids.

    Returns:
      The rows; with spans and edges where `room` has edges.

    Example:
      >>> texts, room = [[5, 6], [7, 8, 9]], Room(16)
      >>> packed = fill([texts], [first_fit(sizes(texts, room), room)], [[0, 1]],
      ...               rows=1, room=room, pad_id=1)
      >>> packed.ids[0, 0, :6].tolist(), packed.text[0, 0, :6].tolist()
      ([7, 8, 9, 5, 6, 1], [1, 1, 1, 0, 0, -1])
    """
    texts = [*chain.from_iterable(groups)]
    row_T = np.concatenate([plan.row_T + g * rows for g, plan in enumerate(plans)])
    start_T3 = np.concatenate([plan.start_T3 for plan in plans])
    length_T = np.array([len(text) for text in texts], int)
    row_P, place_P = np.repeat(row_T, length_T), ramps(length_T)
    at_P = row_P, np.repeat(start_T3[:, 0], length_T) + place_P
    ids = [np.asarray(text.ids if isinstance(text, Example) else text, np.int32) for text in texts]
    shape = (len(groups) * rows, room.length)

    def array(value_P, dtype, empty):
        whole_RL = np.full(shape, empty, dtype)
        whole_RL[at_P] = value_P
        return whole_RL.reshape(len(groups), rows, room.length)

    packed = PackedRows(
        array(np.concatenate(ids), np.int32, pad_id),
        array(np.repeat([*chain.from_iterable(numbers)], length_T), np.int32, NOWHERE),
        array(place_P, np.int16, 0),
        array(np.repeat(start_T3[:, 1], length_T), np.int16, NOWHERE),
    )
    if not room.edges:
        return packed
    spans, edges = graphs(texts, row_T, start_T3, shape, room.edges)
    split = (len(groups), rows, -1, 2)
    return packed._replace(spans=spans.reshape(split), edges=edges.reshape(split))


def graphs(texts, row_T, start_T3, shape, edges) -> tuple[np.ndarray, np.ndarray]:
    """Spans (R, L, 2) and edges (R, E, 2) of rows, counted from the start of the row."""
    span_RL2 = np.full((*shape, 2), NOWHERE, np.int16)
    edge_RE2 = np.full((shape[0], edges, 2), shape[1], np.int16)
    for text, row, (start, _, edge) in zip(texts, row_T, start_T3, strict=True):
        if isinstance(text, Example):
            end = start + len(text)
            span_RL2[row, end - len(text.spans) : end] = text.spans + start
            edge_RE2[row, edge : edge + len(text.edges)] = text.edges + start
    return span_RL2, edge_RE2


def ramps(length_T: Int[np.ndarray, " T"]) -> Int[np.ndarray, " P"]:
    """0, 1, … of each length, end to end.

    Example:
      >>> ramps(np.array([2, 3])).tolist()
      [0, 1, 0, 1, 2]
    """
    return np.arange(length_T.sum()) - np.repeat(np.cumsum(length_T) - length_T, length_T)
