"""Kept tokens are those of the tokenizer, which sees every text once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import jax
import numpy as np
import pytest

from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import CachedTokenizer, Tokenizer
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.train.batches import batch_indices, batches, load_ahead

QUERIES = [f"sort the list number {i}, quickly" for i in range(20)]
CODES = [f"def sort_{i}(x): return sorted(x)[{i}]" for i in range(20)]
PAIRS = [Pair(q, c, f"u{i}", "python") for i, (q, c) in enumerate(zip(QUERIES, CODES, strict=True))]


class Counting:
    """A tokenizer that counts the texts it is given."""

    def __init__(self):
        self.inner = Tokenizer(train_tokenizer(QUERIES + CODES))
        self.seen = Counter()
        self.pad_id, self.pad = self.inner.pad_id, self.inner.pad

    def tokenize(self, texts, max_length):
        self.seen.update(texts)
        return self.inner.tokenize(texts, max_length)


def test_the_same_ids_at_every_length():
    counting = Counting()
    kept = CachedTokenizer(counting)
    for length in (4, 16, 4):
        texts = [QUERIES[3], CODES[0], QUERIES[3], ""]
        found = [ids.tolist() for ids in kept(texts, length)]
        assert found == counting.inner.tokenize(texts, length)
    # Once for each of two lengths; the control: they cut differently.
    assert counting.seen == {text: 2 for text in texts}
    assert len(kept([CODES[0]], 4)[0]) < len(kept([CODES[0]], 16)[0])


def test_no_caller_can_change_what_others_get():
    ids = CachedTokenizer(Counting())(QUERIES[:1], 8)[0]
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 9


def test_threads_that_tokenize_at_once_get_the_same():
    counting, together = Counting(), Barrier(4)
    inner = counting.tokenize
    counting.tokenize = lambda *given: (together.wait(10), inner(*given))[1]
    kept = CachedTokenizer(counting)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: kept(QUERIES, 16), range(4)))
    expected = counting.inner.tokenize(QUERIES, 16)
    assert all([ids.tolist() for ids in each] == expected for each in found)
    # They met before any was done; nobody does so again.
    assert counting.seen == {text: 4 for text in QUERIES}
    assert kept(QUERIES[:1], 16)[0].tolist() == expected[0]


@pytest.mark.parametrize("packed", [False, True])
def test_batches_of_kept_tokens_are_the_same_and_tokenize_once(packed):
    counting, indices = Counting(), batch_indices(len(PAIRS), 4, seed=0)
    plain = Processor(counting.inner, 16, 24, packed=packed)
    laid = Processor(counting, 16, 24, packed=packed).caching()
    expected, found = batches(indices, PAIRS, plain), batches(indices, PAIRS, laid)
    for n in range(15):
        jax.tree.map(np.testing.assert_array_equal, expected[n], found[n])
    assert counting.seen == {text: 1 for text in QUERIES + CODES}
    # The control: without keeping, every epoch tokenizes.
    again = Counting()
    ahead = load_ahead(batches(indices, PAIRS, laid._replace(tokenizer=again, kept=None)), 0)
    for _ in range(15):
        next(ahead)
    assert min(again.seen.values()) >= 3
