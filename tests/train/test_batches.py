"""Batch n is a pure function of (seed, n); hosts share a batch without changing it."""

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
    """A tokenizer of the tests: one id a word, found by its number."""

    pad_id = 1

    def tokenize(self, texts, max_length):
        return [[int(word) for word in text.split()][:max_length] for text in texts]

    def pad(self, ragged, length):
        return np.array([row + [1] * (length - len(row)) for row in ragged], np.int32)


PAIRS = [Pair(f"{10 + i} {10 + i % 3}", f"{100 + i} {200 + i} 7", f"u{i}", "go") for i in range(13)]
LAYOUT = Processor(Words(), 4, 6, packed=False)
PACKED = LAYOUT._replace(packed=True)
every_layout = pytest.mark.parametrize("layout", [LAYOUT, PACKED], ids=["padded", "packed"])


def texts_of(batch):
    """The ids of each query and of each candidate, unpadded, as the encoder would find them."""
    if not batch.packed:
        return [[[i for i in row if i != 1] for row in ids.tolist()] for ids in batch.texts]
    rows, *slots = batch.texts
    found = []
    for slot_GT in slots:
        found.append([])
        for group, slot_T in enumerate(slot_GT):
            for slot in slot_T:
                row, own = divmod(int(slot), PACKED.capacity.slots)
                found[-1].append(rows.ids[group, row][rows.slots[group, row] == own].tolist())
    return found


def bm25(_, query_ids, index_N):
    documents = LAYOUT.queries([PAIRS[i].query for i in index_N])
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


@every_layout
def test_resuming_reads_the_same_batches(processor):
    dataset = batches(batch_indices(13, 4, seed=3), PAIRS, processor, bm25)
    whole = load_ahead(dataset, 0)
    straight = [next(whole) for _ in range(9)]
    resumed = load_ahead(dataset, 5)
    for expected in straight[5:]:
        found = next(resumed)
        jax.tree.map(np.testing.assert_array_equal, expected, found)
    assert texts_of(straight[0]) != texts_of(straight[1])


@pytest.mark.parametrize("groups", [1, 2, 4])
@every_layout
def test_rows_hold_the_pair(processor, groups):
    indices = batch_indices(13, 4, seed=0)
    batch = batches(indices, PAIRS, processor, groups=groups)[2]
    assert batch.query_features is None and batch.pairs == 4
    queries, codes = texts_of(batch)
    assert queries == [[10 + i, 10 + i % 3] for i in indices[2]]
    assert codes == [[100 + i, 200 + i, 7] for i in indices[2]]
    if processor.packed:
        rows = batch.texts.rows
        assert len(rows.ids) == groups
        # Numbers are of the batch: queries, then codes.
        assert set(rows.segment_ids.ravel()) == {-1, *range(8)}
        assert rows.ids[rows.segment_ids == 2].tolist() == queries[2]
        assert rows.ids[rows.segment_ids == 4 + 3].tolist() == codes[3]


SIZES = sizes(PACKED.codes(PAIRS), PACKED.capacity)


def assert_parts(whole, parts):
    """The arrays of hosts end to end are those of one."""
    joined = jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)
    jax.tree.map(np.testing.assert_array_equal, joined, whole)


@every_layout
@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_hold_the_rows_of_one_batch(hosts, processor):
    indices = batch_indices(13, 4, seed=1)
    options = {"keys": True, "groups": 4, "code_sizes": SIZES}
    whole = batches(indices, PAIRS, processor, bm25, **options)[6]
    parts = [
        batches(indices, PAIRS, processor, bm25, shard=(h, hosts), **options)[6]
        for h in range(hosts)
    ]
    assert_parts(whole, parts)
    # The control: statistics of a host's own queries only would be others.
    own = bm25_features(LAYOUT.queries([PAIRS[i].query for i in indices[6][: 4 // hosts]]), 2.0)
    assert not np.array_equal(
        own[1] @ own[1].T, (parts[0].code_features @ parts[0].code_features.T)
    )


def test_keys_only_where_they_are_wanted():
    batch = batches(batch_indices(13, 4, seed=0), PAIRS, LAYOUT)[0]
    assert batch.query_keys is None and batch.code_keys is None and batch.answers is None


NEGATIVES = np.array([[(i + 1) % 13, (i + 5) % 13] for i in range(13)])


@every_layout
def test_each_rows_candidates_lie_together(processor):
    """Its own, then its hard negatives: ids, features and keys of the same pairs."""
    indices = batch_indices(13, 4, seed=0)
    b_RF = np.random.default_rng(0).normal(size=(13, 3))
    features = lambda index_B, _, index_N: (b_RF[index_B], b_RF[index_N])
    batch = batches(indices, PAIRS, processor, features, keys=True, negatives=NEGATIVES)[2]
    drawn = [j for i in indices[2] for j in (i, *NEGATIVES[i])]
    assert batch.pairs == len(batch.query_features) == 4
    assert texts_of(batch)[1] == [[100 + i, 200 + i, 7] for i in drawn]
    np.testing.assert_array_equal(batch.code_features, b_RF[drawn])
    np.testing.assert_array_equal(batch.code_keys, text_keys([PAIRS[i].code for i in drawn]))
    np.testing.assert_array_equal(
        batch.answers, text_keys([PAIRS[i].query for i in drawn])[:, None]
    )
    np.testing.assert_array_equal(batch.query_keys, batch.answers[::3, 0])


@every_layout
@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_hold_the_hard_negatives_of_their_rows(hosts, processor):
    indices = batch_indices(13, 4, seed=1)
    seen = []

    class Counting(Words):
        def tokenize(self, texts, max_length):
            seen.append([text for text in texts if text.endswith(" 7")])
            return super().tokenize(texts, max_length)

    options = {"keys": True, "negatives": NEGATIVES, "groups": 4, "code_sizes": SIZES}
    whole = batches(indices, PAIRS, processor, bm25, **options)[6]
    processor = processor._replace(tokenizer=Counting())
    parts = [
        batches(indices, PAIRS, processor, bm25, **options, shard=(h, hosts))[6]
        for h in range(hosts)
    ]
    assert_parts(whole, parts)
    # Each host tokenized the code of its own share and nobody else's.
    assert [len(texts) for texts in seen if texts] == [12 // hosts] * hosts


def test_average_length_is_of_the_training_split():
    assert average_length(LAYOUT.queries([pair.query for pair in PAIRS])) == 2.0
