"""Batch n is a pure function of (seed, n); processes share a batch without changing it."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from softnce_jax.data.corpus import Pair, text_keys
from softnce_jax.encoders.processor import Processor
from softnce_jax.estimators.bm25 import average_length, bm25_features
from softnce_jax.packing import sizes
from softnce_jax.train.batches import batch_indices, batches, load_ahead


class Words:
    """A tokenizer of words that are numbers: each is its id."""

    pad_id = 1

    def tokenize(self, texts, max_length, *, prompt=None):
        return [[int(word) for word in text.split()][:max_length] for text in texts]


PAIRS = [Pair(f"{10 + i} {10 + i % 3}", f"{100 + i} {200 + i} 7", f"u{i}", "go") for i in range(13)]
PROCESSOR = Processor(Words(), 8, 16)  # two slots a row
either_plan = pytest.mark.parametrize("padded", [True, False], ids=["padded", "packed"])


def texts_of(batch):
    """The ids of each query and of each candidate, unpadded, as the encoder would find them."""
    rows, *slots = batch.texts
    found = []
    for slot_GT in slots:
        found.append([])
        for group, slot_T in enumerate(slot_GT):
            for slot in slot_T:
                row, number = divmod(int(slot), PROCESSOR.capacity.slots)
                here = rows.slots[group, row] == number
                found[-1].append(rows.ids[group, row][here].tolist())
    return found


def bm25(_, query_ids, index_N):
    documents = PROCESSOR.queries([PAIRS[i].query for i in index_N])
    return bm25_features(query_ids, 2.0, documents=documents)


def test_every_epoch_is_another_permutation():
    indices = batch_indices(13, 4, seed=3)
    epochs = [np.concatenate([indices[3 * e + n] for n in range(3)]) for e in range(4)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 12
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert len({(set(range(13)) - set(epoch.tolist())).pop() for epoch in epochs}) > 1


def test_pure_function_of_seed_and_step():
    first, again, other = (batch_indices(13, 4, seed=seed) for seed in (3, 3, 4))
    assert all((first[n] == again[n]).all() for n in (0, 5, 1000))
    assert any((first[n] != other[n]).any() for n in range(3))


@either_plan
def test_resuming_reads_the_same_batches(padded):
    indices = batch_indices(13, 4, seed=3)
    dataset = batches(indices, PAIRS, PROCESSOR, bm25, one_text_per_row=padded)
    whole = load_ahead(dataset, 0)
    straight = [next(whole) for _ in range(9)]
    resumed = load_ahead(dataset, 5)
    for expected in straight[5:]:
        found = next(resumed)
        jax.tree.map(np.testing.assert_array_equal, expected, found)
    assert texts_of(straight[0]) != texts_of(straight[1])


@pytest.mark.parametrize("groups", [1, 2, 4])
@either_plan
def test_rows_hold_the_pair(padded, groups):
    indices = batch_indices(13, 4, seed=0)
    batch = batches(indices, PAIRS, PROCESSOR, groups=groups, one_text_per_row=padded)[2]
    assert batch.query_features is None and batch.pairs == 4
    queries, codes = texts_of(batch)
    assert queries == [[10 + i, 10 + i % 3] for i in indices[2]]
    assert codes == [[100 + i, 200 + i, 7] for i in indices[2]]
    rows = batch.texts.rows
    assert len(rows.ids) == groups
    # Numbers are of the batch: queries, then codes.
    assert set(rows.segment_ids.ravel()) == {-1, *range(8)}
    assert rows.ids[rows.segment_ids == 2].tolist() == queries[2]
    assert rows.ids[rows.segment_ids == 4 + 3].tolist() == codes[3]
    texts_in_row = [len({*row} - {-1}) for row in rows.segment_ids.reshape(-1, 16)]
    assert sorted(texts_in_row) == ([1] * 8 if padded else [2] * 4)


SIZES = sizes(PROCESSOR.codes(PAIRS), PROCESSOR.capacity)


def assert_shares(whole, shares):
    """The arrays of processes, concatenated, are those of one."""
    joined = jax.tree.map(lambda *arrays: np.concatenate(arrays), *shares)
    jax.tree.map(np.testing.assert_array_equal, joined, whole)


@either_plan
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_hold_the_rows_of_one_batch(processes, padded):
    indices = batch_indices(13, 4, seed=1)
    options = {"keys": True, "groups": 4, "code_sizes": SIZES, "one_text_per_row": padded}
    whole = batches(indices, PAIRS, PROCESSOR, bm25, **options)[6]
    shares = [
        batches(indices, PAIRS, PROCESSOR, bm25, shard=(index, processes), **options)[6]
        for index in range(processes)
    ]
    assert_shares(whole, shares)
    # The control: statistics of one process's queries only would be others.
    some = PROCESSOR.queries([PAIRS[i].query for i in indices[6][: 4 // processes]])
    _, alone = bm25_features(some, 2.0)
    found = shares[0].code_features
    assert not np.array_equal(alone @ alone.T, found @ found.T)


def test_keys_only_where_they_are_wanted():
    batch = batches(batch_indices(13, 4, seed=0), PAIRS, PROCESSOR)[0]
    assert batch.query_keys is None and batch.code_keys is None and batch.answers is None


NEGATIVES = np.array([[(i + 1) % 13, (i + 5) % 13] for i in range(13)])


@either_plan
def test_candidates_of_a_row_are_neighbours(padded):
    """Its positive, then its hard negatives: ids, features and keys of the same pairs."""
    indices = batch_indices(13, 4, seed=0)
    b_RF = np.random.default_rng(0).normal(size=(13, 3))
    features = lambda index_B, _, index_N: (b_RF[index_B], b_RF[index_N])
    options = {"keys": True, "negatives": NEGATIVES, "one_text_per_row": padded}
    batch = batches(indices, PAIRS, PROCESSOR, features, **options)[2]
    drawn = [j for i in indices[2] for j in (i, *NEGATIVES[i])]
    assert batch.pairs == len(batch.query_features) == 4
    assert texts_of(batch)[1] == [[100 + i, 200 + i, 7] for i in drawn]
    np.testing.assert_array_equal(batch.code_features, b_RF[drawn])
    np.testing.assert_array_equal(batch.code_keys, text_keys([PAIRS[i].code for i in drawn]))
    np.testing.assert_array_equal(
        batch.answers, text_keys([PAIRS[i].query for i in drawn])[:, None]
    )
    np.testing.assert_array_equal(batch.query_keys, batch.answers[::3, 0])


@either_plan
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_hold_the_hard_negatives_of_their_rows(processes, padded):
    indices = batch_indices(13, 4, seed=1)
    seen = []

    class Counting(Words):
        def tokenize(self, texts, max_length, *, prompt=None):
            seen.append([text for text in texts if text.endswith(" 7")])
            return super().tokenize(texts, max_length)

    options = {"keys": True, "negatives": NEGATIVES, "groups": 4, "code_sizes": SIZES}
    options |= {"one_text_per_row": padded}
    whole = batches(indices, PAIRS, PROCESSOR, bm25, **options)[6]
    counting = PROCESSOR._replace(tokenizer=Counting())
    shares = [
        batches(indices, PAIRS, counting, bm25, **options, shard=(index, processes))[6]
        for index in range(processes)
    ]
    assert_shares(whole, shares)
    # Each process tokenized the code of its share and no more.
    assert [len(texts) for texts in seen if texts] == [12 // processes] * processes


def test_average_length_is_of_the_training_split():
    assert average_length(PROCESSOR.queries([pair.query for pair in PAIRS])) == 2.0


IN_BAGS = PROCESSOR._replace(in_bags=True)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_bags_hold_the_pair(groups):
    """The texts of a group end to end, its queries, then its candidates; tokens in their order."""
    indices = batch_indices(13, 4, seed=0)
    options = {"negatives": NEGATIVES, "groups": groups}
    laid, *slots = batches(indices, PAIRS, IN_BAGS, **options)[2].texts
    assert laid.ids.shape == (groups, 44 // groups) and laid.sizes.shape == (groups, 16 // groups)
    found = [
        [laid.ids[g][laid.texts[g] == slot].tolist() for slot in slot_T]
        for slot_GT in slots
        for g, slot_T in enumerate(slot_GT)
    ]
    found = [text for texts in found for text in texts]
    drawn = [j for i in indices[2] for j in (i, *NEGATIVES[i])]
    assert found[:4] == [sorted([10 + i, 10 + i % 3]) for i in indices[2]]
    assert found[4:] == [[7, 100 + i, 200 + i] for i in drawn]
    assert (laid.counts == 1).all()


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_hold_the_bags_of_one_batch(processes):
    pairs = [
        Pair(p.query, f"{p.code} 8 8 9"[: 8 + n % 3 * 4], p.url, "go") for n, p in enumerate(PAIRS)
    ]
    code_sizes = IN_BAGS.sizes(IN_BAGS.codes(pairs))
    assert len(set(code_sizes[:, 0])) == 3  # so that groups have room for the largest one
    indices = batch_indices(13, 4, seed=1)
    options = {"negatives": NEGATIVES, "groups": 4, "code_sizes": code_sizes}
    for number in range(3):
        whole = batches(indices, pairs, IN_BAGS, **options)[number]
        shares = [
            batches(indices, pairs, IN_BAGS, **options, shard=(index, processes))[number]
            for index in range(processes)
        ]
        assert_shares(whole.texts, [share.texts for share in shares])
