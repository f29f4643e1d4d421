"""Tokenizers give the ids of transformers; cached ones are the same and are made once."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import jax
import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import LONGEST_TEXT, CachedTokenizer, Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.train.batches import batch_indices, batches, load_ahead

pytestmark = pytest.mark.interop

CODE = [
    "def getMaxValue(values):\n\treturn max(values)",
    "function parse_http_header2(text) { return text.split(':') }",
    "public static int maxValue(int[] values) { return 0; }",
    "parse the http header of a text",
]


@pytest.fixture(scope="module")
def fast():
    return train_tokenizer(CODE * 2, 500)


def test_tokenize_equals_transformers_and_cuts_to_length(fast):
    expected = fast(CODE, truncation=True, max_length=9)["input_ids"]
    tokenizer = Tokenizer(fast)
    assert tokenizer.tokenize(CODE, 9) == expected
    assert max(map(len, expected)) == 9
    assert tokenizer.tokenize(CODE, 500) == fast(CODE)["input_ids"] != expected


def test_tokenize_ignores_truncation_and_padding_that_were_saved(fast, tmp_path):
    fast.save_pretrained(tmp_path)
    stained = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    stained.backend_tokenizer.enable_truncation(4)
    stained.backend_tokenizer.enable_padding(length=30)
    assert Tokenizer(stained).tokenize(CODE, 500) == Tokenizer(fast).tokenize(CODE, 500)


def test_special_tokens_must_leave_room(fast):
    with pytest.raises(InputError, match="max_length 2 must exceed the 2 special tokens"):
        Tokenizer(fast).tokenize(["x"], 2)


def test_long_texts_are_cut_without_a_word(fast, caplog, capfd):
    fast.model_max_length = 10
    with caplog.at_level(logging.DEBUG):
        Tokenizer(fast).tokenize(["text " * 9999], 50)
    assert not caplog.records and not capfd.readouterr().err


def test_threads_may_share_a_tokenizer(fast):
    tokenizer = Tokenizer(fast)
    lengths = [8, 16, 32, 500] * 25
    expected = {length: tokenizer.tokenize(CODE * 9, length) for length in set(lengths)}
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda length: tokenizer.tokenize(CODE * 9, length), lengths))
    assert results == [expected[length] for length in lengths]


def test_pad_fills_up_with_the_pad_id(fast):
    ids = Tokenizer(fast).pad([[0, 7, 2], [0, 2]], 4)
    np.testing.assert_array_equal(ids, [[0, 7, 2, 1], [0, 2, 1, 1]])
    assert ids.dtype == np.int32
    with pytest.raises(ValueError, match="row 1 has 3 tokens, more than length 2"):
        Tokenizer(fast).pad([[0, 2], [0, 7, 2]], 2)


def test_positions_start_after_the_pad_id_unless_told(fast):
    assert Tokenizer(fast).first_position == 2
    assert Tokenizer(fast, first_position=0).first_position == 0
    assert Tokenizer(fast).vocab_size == len(fast)


def test_a_prefix_follows_the_first_special_token(tmp_path, fast):
    fast.save_pretrained(tmp_path)
    own = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    marker = own.convert_tokens_to_ids("header")
    rows = Tokenizer(own, prefix=("header", "</s>")).tokenize(["http text", ""], 6)
    http, text = own.convert_tokens_to_ids(["http", "text"])
    assert rows == [[0, marker, 2, http, text, 2], [0, marker, 2, 2]]
    assert own("")["input_ids"] == rows[1]
    assert Tokenizer(own).tokenize([""], 6) == [rows[1]]


def test_a_prefix_must_be_in_the_vocabulary(fast):
    with pytest.raises(InputError, match="no prefix token '<encoder-only>'"):
        Tokenizer(fast, prefix=("<encoder-only>", "</s>"))


def test_a_pad_token_is_asked_for(tmp_path, fast):
    fast.save_pretrained(tmp_path)
    padless = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    padless.pad_token = None
    with pytest.raises(InputError, match="the tokenizer has no pad token; set pad_token"):
        Tokenizer(padless)


QUERIES = [f"sort the list number {i}, quickly" for i in range(20)]
CODES = [f"def sort_{i}(x): return sorted(x)[{i}]" for i in range(20)]
PAIRS = [Pair(q, c, f"u{i}", "python") for i, (q, c) in enumerate(zip(QUERIES, CODES, strict=True))]


class Counting:
    """A tokenizer that counts the texts it is given."""

    def __init__(self):
        self.inner = Tokenizer(train_tokenizer(QUERIES + CODES))
        self.seen = Counter()
        self.pad_id, self.pad = self.inner.pad_id, self.inner.pad

    def tokenize(self, texts, max_length, *, prompt=None):
        self.seen.update(texts)
        return self.inner.tokenize(texts, max_length, prompt=prompt)


def test_cached_ids_are_the_same_at_every_length():
    counting = Counting()
    cached = CachedTokenizer(counting)
    for length in (4, 16, 4):
        texts = [QUERIES[3], CODES[0], QUERIES[3], ""]
        found = [ids.tolist() for ids in cached.tokenize(texts, length)]
        assert found == counting.inner.tokenize(texts, length)
    # Once for each of two lengths; the control: they cut differently.
    assert counting.seen == {text: 2 for text in texts}
    assert len(cached.tokenize([CODES[0]], 4)[0]) < len(cached.tokenize([CODES[0]], 16)[0])


def test_no_caller_can_change_cached_ids():
    ids = CachedTokenizer(Counting()).tokenize(QUERIES[:1], 8)[0]
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 9


def test_threads_that_tokenize_at_once_get_the_same():
    counting, together = Counting(), Barrier(4)
    inner = counting.tokenize
    counting.tokenize = lambda *given, **named: (together.wait(10), inner(*given, **named))[1]
    cached = CachedTokenizer(counting)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: cached.tokenize(QUERIES, 16), range(4)))
    expected = counting.inner.tokenize(QUERIES, 16)
    assert all([ids.tolist() for ids in each] == expected for each in found)
    # They met before any was done; nobody does so again.
    assert counting.seen == {text: 4 for text in QUERIES}
    assert cached.tokenize(QUERIES[:1], 16)[0].tolist() == expected[0]


@pytest.mark.parametrize("one_text_per_row", [False, True])
def test_batches_of_cached_tokens_are_the_same_and_tokenize_once(one_text_per_row):
    counting, indices = Counting(), batch_indices(len(PAIRS), 4, seed=0)
    options = {"one_text_per_row": one_text_per_row}
    plain, cached = Processor(counting.inner, 16, 24), Processor(counting, 16, 24).caching()
    expected = batches(indices, PAIRS, plain, **options)
    found = batches(indices, PAIRS, cached, **options)
    for n in range(15):
        jax.tree.map(np.testing.assert_array_equal, expected[n], found[n])
    assert counting.seen == {text: 1 for text in QUERIES + CODES}
    # The control: without the cache, every epoch tokenizes.
    again = Counting()
    ahead = load_ahead(batches(indices, PAIRS, Processor(again, 16, 24), **options), 0)
    for _ in range(15):
        next(ahead)
    assert min(again.seen.values()) >= 3


def test_a_long_text_is_cut_before_it_is_tokenized(fast, monkeypatch):
    """The ids are those of the whole text, of which a small part is read."""
    tokenizer, read = Tokenizer(fast), []
    random = np.random.default_rng(0)
    words = [
        "get",
        "MaxValue",
        "http_header2",
        "(",
        ")",
        "\n\t",
        "  ",
        "    ",
        "text.split(':')",
        "é",
    ]
    whole = []
    for length in (9, 40):
        texts = ["".join(random.choice(words, 3000)) for _ in range(10)]
        texts += ["def f():" + " " * 20_000 + "return max(values)", " " * 40_000 + "x"]
        expected = [ids[:length] for ids in tokenizer._ids(texts)]
        room = length + len(tokenizer.head) + len(tokenizer.tail)
        monkeypatch.setattr(
            tokenizer, "_ids", lambda t: read.extend(t) or Tokenizer._ids(tokenizer, t)
        )
        found = tokenizer.tokenize(texts, room)
        assert [ids[1:-1] for ids in found] == expected
        monkeypatch.undo()
        whole += texts
    assert sum(map(len, read)) < sum(map(len, whole)) and max(map(len, read[:10])) <= 9 * 32


def test_the_longest_text_that_is_read(fast):
    tokenizer = Tokenizer(fast)
    late = " " * LONGEST_TEXT + "max"
    assert tokenizer.tokenize([late, " " * 99_999 + "max"], 9) == [
        [0, 2],
        [0, *tokenizer.tokenize(["max"], 9)[0][1:]],
    ]
    assert len(tokenizer.pieces(["(" * (LONGEST_TEXT + 5)], after_space=False)[0]) == LONGEST_TEXT
    assert len(tokenizer.pieces(["(" * 7], after_space=True)[0]) == 7
