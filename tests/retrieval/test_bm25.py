"""BM25 retrieval against a slow loop of the formula; its words; its order."""

from __future__ import annotations

import numpy as np
import pytest

from softnce_jax.retrieval import blocks
from softnce_jax.retrieval.bm25 import Bm25, bm25_ranks, bm25_top, words
from tests.retrieval import reference

VOCABULARY = ("read", "write", "file", "open", "socket", "parse", "json", "http", "Server", "sort")


def texts(count, length, seed):
    random = np.random.default_rng(seed)
    return ["_".join(random.choice(VOCABULARY, random.integers(1, length))) for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("readFile", ["read", "file"]),
        ("read_file", ["read", "file"]),
        ("HTTPServer", ["http", "server"]),
        ("parseJSON2dict", ["parse", "json", "2", "dict"]),
        ("MAX_SIZE", ["max", "size"]),
        ("a.b(c)", ["a", "b", "c"]),
        ("größeÄndern", ["größeändern"]),
        ("读取 文件", ["读取", "文件"]),
        ("... !=", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_scores_are_the_formula():
    codes, queries = texts(30, 12, 0), texts(9, 5, 1)
    found = np.concatenate(list(Bm25(codes).score_blocks(queries)))
    documents = [words(code) for code in codes]
    expected = [reference.bm25(words(query), documents) for query in queries]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    other = [reference.bm25(words(query), documents, b=0.0) for query in queries]
    assert np.abs(np.array(other) - found).max() > 0.1


def test_ranks_by_loop_any_block_and_any_order(monkeypatch):
    codes, queries = texts(40, 10, 2), texts(13, 4, 3)
    relevant = np.random.default_rng(4).integers(0, 40, (13, 2)).astype(np.int32)
    grade = np.ones_like(relevant)
    ranks = bm25_ranks(queries, codes, relevant, grade)
    score = np.concatenate(list(Bm25(codes).score_blocks(queries)))
    for q in range(13):
        for g in range(2):
            low, high = reference.bounds(score[q], relevant[q, g])
            assert (ranks.best_QG[q, g], ranks.worst_QG[q, g]) == (low, high)
    assert (ranks.worst_QG > ranks.best_QG).any()

    monkeypatch.setattr(blocks, "MAX_BLOCK_QUERIES", 4)
    assert len(next(Bm25(codes).score_blocks(queries))) == 4
    order = np.random.default_rng(5).permutation(40)
    index = np.argsort(order)
    shuffled = bm25_ranks(queries, [codes[m] for m in order], index[relevant], grade)
    for ours, theirs in zip(shuffled, ranks, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_query_without_known_words_ties_with_everything():
    one = np.ones((1, 1), np.int32)
    ranks = bm25_ranks(["zebra ?"], texts(8, 5, 0), one, one)
    assert (ranks.best_QG[0, 0], ranks.worst_QG[0, 0]) == (1, 8)


def test_top_codes_are_the_highest_scores(capsys):
    codes, queries = texts(30, 12, 0), texts(5, 5, 1)
    index, score = bm25_top(queries, codes, 7)
    every = np.concatenate(list(Bm25(codes).score_blocks(queries)))
    np.testing.assert_array_equal(score, -np.sort(-every, axis=1)[:, :7])
    np.testing.assert_array_equal(np.take_along_axis(every, index, 1), score)
    assert capsys.readouterr() == ("", "")


def test_codes_without_words_tie_with_one_another(caplog):
    """As for a query without a known word; a line says so."""
    one, codes = np.ones((1, 1), np.int32), ["", "+-", "[.>]"]
    ranks = bm25_ranks(["read a file"], codes, one, one)
    assert (ranks.best_QG[0, 0], ranks.worst_QG[0, 0]) == (1, 3)
    assert caplog.messages == ["BM25 found no word in any of 3 codes: all of them tie"]
    index, score = bm25_top(["read a file", ""], codes, 2)
    assert index.tolist() == [[0, 1]] * 2 and not score.any()
    assert next(Bm25(codes).score_blocks(["a"])).dtype == np.float32
    caplog.clear()
    bm25_ranks(["read a file"], [*codes, "read"], one, one)
    assert not caplog.messages
