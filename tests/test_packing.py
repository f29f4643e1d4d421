"""Packing: every token of every text at its position, nothing dropped, in few rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from softnce_jax.dataflow.example import Example
from softnce_jax.packing import (
    Capacity,
    Plan,
    bags,
    bucket,
    distinct_tokens,
    fill,
    first_fit,
    sizes,
    slots_per_row,
)
from tests.rows import padded_rows

RANDOM = np.random.default_rng(0)
# Lengths as of Python pairs: short queries, and code of which one in six fills its row.
QUERIES = np.clip(RANDOM.lognormal(3, 0.6, 64).astype(int), 3, 128)
CODES = np.clip(RANDOM.lognormal(4.6, 0.8, 64).astype(int), 10, 256)
TEXTS = [RANDOM.integers(4, 999, n).tolist() for n in (*QUERIES, *CODES)]
CAPACITY = Capacity(256)


def unpacked(packed, group=0):
    """Number -> ids, in the order of positions, read off the arrays one token at a time."""
    found = {}
    for row in range(packed.ids.shape[1]):
        for column in range(packed.ids.shape[2]):
            number = int(packed.segment_ids[group, row, column])
            if number >= 0:
                text = found.setdefault(number, {})
                position = int(packed.positions[group, row, column])
                assert position not in text
                text[position] = int(packed.ids[group, row, column])
            else:
                assert packed.slots[group, row, column] == -1
                assert packed.ids[group, row, column] == 1
    return {number: [text[at] for at in range(len(text))] for number, text in found.items()}


def test_nothing_is_lost_and_nothing_shared():
    plan = first_fit(sizes(TEXTS, CAPACITY), CAPACITY)
    numbers = [7 * i for i in range(len(TEXTS))]
    packed = fill([TEXTS], [plan], [numbers], rows=plan.rows + 2, capacity=CAPACITY, pad_id=1)
    assert unpacked(packed) == dict(zip(numbers, TEXTS, strict=True))
    # A text's tokens lie side by side, and no other text of the row has its slot.
    slots = plan.slot_T(CAPACITY.slots)
    assert len(set(slots.tolist())) == len(TEXTS)
    for number, slot in zip(numbers, slots, strict=True):
        row, column = np.nonzero(packed.segment_ids[0] == number)
        assert np.ptp(row) == 0 and np.ptp(column) == len(column) - 1
        assert set(packed.slots[0][row, column]) == {slot % CAPACITY.slots}
        assert row[0] == slot // CAPACITY.slots


def test_rows_are_well_filled():
    plan = first_fit(sizes(TEXTS, CAPACITY), CAPACITY)
    fill_share = sum(map(len, TEXTS)) / (plan.rows * CAPACITY.length)
    assert 0.94 < fill_share <= 1
    # The control: in the order of the batch, next fit wastes more.
    rows, free = 1, CAPACITY.length
    for text in TEXTS:
        if len(text) > free:
            rows, free = rows + 1, CAPACITY.length
        free -= len(text)
    assert rows > plan.rows


def test_groups_are_packed_apart():
    halves = [TEXTS[:64], TEXTS[64:]]
    plans = [first_fit(sizes(half, CAPACITY), CAPACITY) for half in halves]
    rows = max(plan.rows for plan in plans)
    numbers = [range(64), range(64, 128)]
    packed = fill(halves, plans, numbers, rows=rows, capacity=CAPACITY, pad_id=1)
    assert packed.ids.shape == (2, rows, 256)
    for group, half in enumerate(halves):
        assert unpacked(packed, group) == dict(zip(numbers[group], half, strict=True))


def test_many_tiny_texts_take_more_rows_rather_than_more_slots():
    plan = first_fit(sizes([[5, 6]] * 100, CAPACITY), CAPACITY)
    assert np.bincount(plan.row_T).tolist() == [32, 32, 32, 4] and slots_per_row(256) == 32


def test_a_text_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="text 1 has 257 tokens and 0 edges, more than the 256"):
        first_fit(sizes([[5], [5] * 257], CAPACITY), CAPACITY)


def test_one_text_per_row_is_padding():
    texts = [[5, 6, 7], [8], []]
    packed = padded_rows(texts, 4)
    assert packed.ids.tolist() == [[[5, 6, 7, 1], [8, 1, 1, 1], [1, 1, 1, 1]]]
    assert packed.segment_ids.tolist() == [[[0, 0, 0, -1], [1, -1, -1, -1], [-1] * 4]]
    assert packed.positions.tolist() == [[[0, 1, 2, 0], [0] * 4, [0] * 4]]
    assert packed.slots.tolist() == [[[0, 0, 0, -1], [0, -1, -1, -1], [-1] * 4]]
    with pytest.raises(ValueError, match="text 1 has 5 tokens and 0 edges, more than the 4 pos"):
        padded_rows([[5], [5] * 5], 4)


def test_buckets_are_few_and_never_too_small():
    found = [bucket(rows) for rows in range(1, 2049)]
    assert all(rows <= b <= 1.125 * rows for rows, b in zip(range(1, 2049), found, strict=True))
    assert len(set(found)) < 80


def graph(tokens, nodes, edges):
    spans = [(1 + k % (tokens - 2), 2 + k % (tokens - 2)) for k in range(nodes)]
    pairs = [(tokens + k % nodes, tokens + (k + 1) % nodes) for k in range(edges)]
    ids = np.arange(10, 10 + tokens + nodes, dtype=np.int32)
    shapes = (np.array(x, np.int16).reshape(-1, 2) for x in (spans, pairs))
    return Example(ids, *shapes)


def test_graphs_move_with_their_texts():
    texts = [graph(8, 3, 4), [5, 6, 7], graph(6, 2, 1), graph(4, 0, 0)]
    capacity = Capacity(32, edges=64)
    plan = first_fit(sizes(texts, capacity), capacity)
    assert plan.rows == 1
    packed = fill([texts], [plan], [range(4)], rows=1, capacity=capacity, pad_id=1)
    for number, text in enumerate(texts):
        start = int(plan.start_T3[number, 0])
        at = slice(start, start + len(text))
        if not isinstance(text, Example):
            assert (packed.spans[0, 0, at] == -1).all()
            continue
        moved = np.full((len(text), 2), -1)
        moved[len(text) - len(text.spans) :] = text.spans + start  # nodes stand last
        np.testing.assert_array_equal(packed.spans[0, 0, at], moved)
        first = int(plan.start_T3[number, 2])
        found = packed.edges[0, 0, first : first + len(text.edges)]
        np.testing.assert_array_equal(found, text.edges + start)
    assert (packed.edges[0, 0, 5:] == 32).all()


def test_edges_are_room_too():
    texts = [graph(8, 3, 40), graph(8, 3, 40), [5, 6]]
    capacity = Capacity(64, edges=64)
    plan = first_fit(sizes(texts, capacity), capacity)
    assert plan.row_T.tolist() == [0, 1, 0]
    with pytest.raises(
        ValueError, match="11 tokens and 40 edges, more than the 64 positions and 32"
    ):
        first_fit(sizes(texts, capacity), capacity._replace(edges=32))


def test_an_empty_plan_has_no_rows():
    assert Plan(np.zeros(0, int), np.zeros((0, 3), int)).rows == 0


def test_a_node_that_may_see_nothing_has_a_row_for_its_text():
    lonely = graph(8, 2, 0)
    lonely.spans[1] = (4, 4)
    texts, capacity = [lonely, graph(8, 2, 0), [5, 6]], Capacity(64, edges=64)
    plan = first_fit(sizes(texts, capacity), capacity)
    assert plan.row_T.tolist() == [0, 1, 1]
    packed = fill([texts], [plan], [range(3)], rows=2, capacity=capacity, pad_id=1)
    assert (packed.segment_ids[0, 0] == 0).sum() == len(lonely)


def test_bags_hold_every_token_once():
    groups = [TEXTS[:32], [*TEXTS[32:60], [], [], TEXTS[60], []]]
    tokens = max(sum(len({*text}) for text in texts) for texts in groups) + 3
    laid = bags(groups, tokens=tokens)
    for g, texts in enumerate(groups):
        found = [Counter() for _ in range(33)]
        for position in range(tokens):
            token, count = laid.ids[g, position], laid.counts[g, position]
            found[laid.texts[g, position]][int(token)] += int(count)
        assert found[:32] == [Counter(text) for text in texts]
        assert laid.sizes[g].tolist() == [len(text) for text in texts]
        assert distinct_tokens(texts).tolist() == [len({*text}) for text in texts]
        assert found[32] == {0: 0} and (np.diff(laid.texts[g]) >= 0).all()
    assert {array.dtype for array in laid} == {np.dtype(np.int32)}


def test_bags_refuse_more_tokens_than_there_is_room_for():
    with pytest.raises(ValueError, match="a group has 3 different tokens, more than the 2 pos"):
        bags([[[1], [2, 3]]], tokens=2)
