from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.pretrained.tiny import SPECIAL_TOKENS, train_tokenizer

CODE = [
    "def getMaxValue(values):\n\treturn max(values)",
    "function parse_http_header2(text) { return text.split(':') }",
    "public static int maxValue(int[] values) { return 0; }",
    "parse the http header of a text",
]


@pytest.fixture(scope="module")
def fast():
    return train_tokenizer(CODE * 2, 500)


def test_special_tokens_have_the_ids_that_bm25_skips(fast):
    assert fast.convert_tokens_to_ids(list(SPECIAL_TOKENS.values())) == [0, 1, 2, 3, 4]
    assert fast("")["input_ids"] == [0, 2]


@pytest.mark.parametrize(
    "identifier", ["parseHTTPHeader", "parse_http_header", "ParseHttpHeader", "parse-HTTP header"]
)
def test_words_of_identifiers_are_the_words_of_a_question(fast, identifier):
    words = [piece for piece in fast.tokenize(identifier) if piece != "-"]
    assert words == fast.tokenize("parse http header") == ["parse", "http", "header"]


def test_digits_and_white_space_split_words(fast):
    assert fast.tokenize("header2\n\t  text") == ["header", "2", "text"]


def test_any_text_is_tokenized_without_unknowns(fast):
    ids = fast("é 日本 \x00 🙂 Ünïcode")["input_ids"]
    assert SPECIAL_TOKENS["unk_token"] not in fast.convert_ids_to_tokens(ids)
    assert "日本" in fast.decode(ids)


def test_the_same_texts_in_any_order_train_the_same_tokenizer(fast):
    again = train_tokenizer((CODE * 2)[::-1], 500)
    assert again.backend_tokenizer.to_str() == fast.backend_tokenizer.to_str()
    other = train_tokenizer(CODE[:1] * 2, 500)
    assert other.backend_tokenizer.to_str() != fast.backend_tokenizer.to_str()


@pytest.mark.parametrize("loader", [PreTrainedTokenizerFast, AutoTokenizer])
def test_a_trained_tokenizer_survives_saving(fast, loader, tmp_path):
    fast.save_pretrained(tmp_path)
    loaded = loader.from_pretrained(tmp_path)
    assert loaded(CODE)["input_ids"] == fast(CODE)["input_ids"]
    assert (loaded.pad_token_id, loaded.cls_token, loaded.mask_token) == (1, "<s>", "<mask>")


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
