"""One string is no list of texts: every function that takes such a list says so in a line."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from softnce_jax.data.corpus import text_keys
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import CachedTokenizer, Tokenizer
from softnce_jax.errors import InputError, check_texts
from softnce_jax.mesh import make_mesh
from softnce_jax.pretrained.tiny import TinyConfig, tiny, train_tokenizer
from softnce_jax.retrieval.bm25 import Bm25, bm25_ranks, bm25_top
from softnce_jax.retrieval.negatives import bm25_search
from softnce_jax.retrieval.qrels import write_qrels, write_run

TEXTS = ["sort a list", "def f(x): return x"]
ONE = np.zeros((1, 1), np.int32)
TOKENIZER = Tokenizer(train_tokenizer(TEXTS, 300))
SIZES = TinyConfig(300, 16)


def embedder(texts):
    encoder, params = tiny(TEXTS, key=jax.random.key(0), sizes=SIZES)
    return Embedder(encoder, make_mesh(jax.devices()[:1]))(params, texts)


CALLS = {
    "tokenize": lambda texts: TOKENIZER.tokenize(texts, 8),
    "cached": lambda texts: CachedTokenizer(TOKENIZER).tokenize(texts, 8),
    "pieces": lambda texts: TOKENIZER.pieces(texts, after_space=True),
    "queries": lambda texts: Processor(TOKENIZER, 8, 8).queries(texts),
    "words": lambda texts: Processor(TOKENIZER, 8, 8).words(texts),
    "train_tokenizer": train_tokenizer,
    "tiny": lambda texts: tiny(texts, key=jax.random.key(0), sizes=SIZES),
    "text_keys": text_keys,
    "codes of BM25": Bm25,
    "queries of BM25": lambda texts: list(Bm25(TEXTS).score_blocks(texts)),
    "ranks of BM25": lambda texts: bm25_ranks(texts, TEXTS, ONE, ONE),
    "top of BM25": lambda texts: bm25_top(texts, TEXTS, 1),
    "search of BM25": lambda texts: bm25_search(texts, TEXTS, ONE[0]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_one_string_is_refused_and_a_list_of_it_is_not(call):
    with pytest.raises(InputError, match=r"is one string, not .* texts: give \['sort a list'"):
        call(TEXTS[0])
    call(TEXTS[:1])


def test_embedding_takes_rows_of_ids_and_no_string():
    with pytest.raises(InputError, match=r"texts is one string.*give \['7 8'\]"):
        embedder("7 8")


def test_ids_of_files_too(tmp_path):
    with pytest.raises(InputError, match="query_ids is one string"):
        write_qrels(tmp_path / "qrels", "q", ["c"], ONE, ONE)
    with pytest.raises(InputError, match="candidate_ids is one string"):
        write_run(tmp_path / "run", ["q"], "c", ONE, ONE, name="n")
    assert not list(tmp_path.iterdir())


def test_a_long_string_is_shown_by_its_beginning():
    check_texts(["a"], "codes"), check_texts(np.array(["a"]), "codes"), check_texts((), "codes")
    with pytest.raises(InputError) as caught:
        check_texts("x\n" * 999, "codes")
    assert len(str(caught.value)) < 160 and "\n" not in str(caught.value)
