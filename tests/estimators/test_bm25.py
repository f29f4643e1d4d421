"""In-batch BM25 features against token-by-token loops."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from softnce_jax.estimators.bm25 import average_length, bm25_features, corpus_idf
from tests import reference
from tests.shared import shared_path


def queries(rows=12, longest=20, vocabulary=40, seed=0):
    """Ragged token ids, special ones among them, some words often and one row empty."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest, size=rows)
    ids = [(random.zipf(1.5, size=n) % vocabulary).tolist() for n in lengths]
    return [[0, *row, 2] for row in ids[:-1]] + [[0, 2]]


def padded(ids):
    width = max(len(row) for row in ids)
    return np.array([row + [1] * (width - len(row)) for row in ids])


def similarity(ids, average, **options):
    a, b = bm25_features(ids, average, **options)
    return a.astype(np.float64) @ b.astype(np.float64).T


@pytest.mark.parametrize("options", [{}, {"k1": 2.0, "b": 0.3}, {"k1": 0.0}, {"b": 1.0}])
def test_product_is_the_bm25_of_the_loops(options):
    ids = queries()
    average = average_length(ids)
    expected = reference.bm25(ids, average, **options)
    np.testing.assert_allclose(similarity(ids, average, **options), expected, atol=1e-5)
    assert np.abs(expected).max() > 1
    other = reference.bm25(ids, 2 * average, k1=0.7, b=0.9)
    assert np.abs(other - expected).max() > 1e-2, "length and constants matter"


def test_corpus_statistics_are_those_of_the_loops():
    collection = queries(rows=40, seed=1)
    ids, average = collection[5:17], average_length(collection)
    found = similarity(ids, average, idf=corpus_idf(collection))
    expected = reference.bm25(ids, average, collection=collection)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # The controls: the batch's own statistics, and another collection's, give another similarity.
    assert np.abs(similarity(ids, average) - expected).max() > 1e-2
    other = similarity(ids, average, idf=corpus_idf(collection[:-20] + ids))
    assert np.abs(other - expected).max() > 1e-2


@pytest.mark.parametrize("statistics", ["batch", "corpus"])
def test_documents_are_scored_and_not_counted(statistics):
    """Hard negatives: the queries' own similarity is as without them."""
    ids, others = queries(), queries(rows=7, seed=2)
    average, collection = average_length(ids), queries(rows=40, seed=1) + ids + others
    idf, counted = (corpus_idf(collection), collection) if statistics == "corpus" else (None, None)
    documents = [*others[:3], *ids, *others[3:]]
    found = similarity(ids, average, documents=documents, idf=idf)
    expected = reference.bm25(ids, average, documents=documents, collection=counted)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(found[:, 3:15], similarity(ids, average, idf=idf))
    if statistics == "batch":  # the control: counted, they change it
        counting = similarity(documents, average)[3:15]
        assert np.abs(counting - expected).max() > 1e-2


@pytest.mark.parametrize("statistics", ["batch", "corpus"])
def test_without_lone_words_only_the_similarity_with_itself_differs(statistics):
    ids = queries(rows=150, vocabulary=9000)
    average, idf = average_length(ids), corpus_idf(ids) if statistics == "corpus" else None
    expected = reference.bm25(ids, average, collection=ids if idf is not None else None)
    found = similarity(ids, average, idf=idf, lone_words=False)
    others = ~np.eye(len(ids), dtype=bool)
    np.testing.assert_allclose(found[others], expected[others], atol=1e-5)
    assert np.abs(np.diag(found) - np.diag(expected)).max() > 1
    wide, narrow = (bm25_features(ids, average, lone_words=x)[0].shape[1] for x in (True, False))
    assert (wide, narrow) == (256, 128)
    # A host's share of the queries as documents.
    share = similarity(ids, average, idf=idf, lone_words=False, documents=ids[20:40])
    np.testing.assert_array_equal(share, found[:, 20:40])
    # The control: words of two rows are not lone.
    pairs = [row for row in ids for _ in range(2)]
    twice = similarity(pairs, average, lone_words=False)
    np.testing.assert_allclose(twice, reference.bm25(pairs, average), atol=1e-5)


def test_memory_of_large_batches_is_that_of_the_result():
    """What is made on the way is as large as the words, not as rows x columns in float64."""
    random = np.random.default_rng(0)
    ids = [(4 + random.zipf(1.3, size=12) % 3000).tolist() for _ in range(1000)]
    tracemalloc.start()
    a, b = bm25_features(ids, 12.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert a.shape[1] >= 2048 and peak < 1.3 * (a.nbytes + b.nbytes)


def test_corpus_idf_is_never_negative():
    """Word 5 occurs in every row, word 4 in none, word 6 in one of 3; specials have no idf."""
    idf = corpus_idf([[0, 5, 5, 6, 2], [0, 5, 2], [0, 5, 7, 2]])
    expected = [math.log(1 + (3 - n + 0.5) / (n + 0.5)) for n in (0, 3, 1, 1)]
    np.testing.assert_allclose(idf[4:], expected, rtol=1e-12)
    assert (idf[4:] > 0).all() and not idf[:4].any()
    assert (similarity([[5], [5]], 1.0, idf=idf) > 0).all()
    assert (similarity([[5], [5]], 1.0) < 0).all(), "as published"


def test_bm25_by_hand():
    """Row 0 holds word 8 twice, row 1 once; it occurs in 2 of 3 rows; avgdl is 2."""
    ids = [[0, 8, 8, 2], [0, 8, 9, 2], [0, 7, 7, 2]]
    assert average_length(ids) == 2
    idf = math.log((3 - 2 + 0.5) / (2 + 0.5))
    expected = 2 * idf * 2.2 * 1 / (1.2 + 1)
    np.testing.assert_allclose(similarity(ids, 2.0)[0, 1], expected, rtol=1e-6)


def test_padding_and_row_types_do_not_matter():
    ids = queries()
    a, b = bm25_features(ids, 5.0)
    for same in (padded(ids), padded(ids).astype(np.int32), [np.array(row) for row in ids]):
        np.testing.assert_array_equal(bm25_features(same, 5.0), (a, b))
    assert average_length(padded(ids)) == average_length(ids)
    assert not np.array_equal(bm25_features(ids[::-1], 5.0)[0], a)


@pytest.mark.parametrize(
    ("words", "columns"), [(0, 128), (1, 128), (128, 128), (129, 256), (256, 256), (257, 512)]
)
def test_columns_come_in_powers_of_two(words, columns):
    ids = [list(range(4, 4 + words)), [0, 2]]
    a, b = bm25_features(ids, 3.0)
    assert a.shape == b.shape == (2, columns)
    assert a.dtype == b.dtype == np.float32
    assert np.count_nonzero(a[0]) == words


@pytest.mark.parametrize("average", [0.0, 3.0])
def test_rows_without_words(average):
    with np.errstate(all="raise"):
        a, b = bm25_features([[0, 2], [1, 1], []], average)
        assert not a.any() and not b.any()
        assert average_length([[0, 2], [1, 1], []]) == 0


def test_a_training_set_without_words():
    """All statistics of nothing: no word is rare, and every similarity is 0."""
    ids = [[0, 2], [0, 3, 2], []]
    average, idf = average_length(ids), corpus_idf(ids)
    assert average == 0 and not idf.any()
    for statistics in (None, idf):
        a, b = bm25_features(ids, average, idf=statistics, documents=[*ids, [0, 2]])
        assert a.shape == (3, 128) and b.shape == (4, 128) and not a.any() and not b.any()


def test_average_length_zero_leaves_length_out():
    ids = [[5, 6], [5], [7, 7, 7]]
    with np.errstate(all="raise"):
        np.testing.assert_allclose(similarity(ids, 0.0), reference.bm25(ids, 1.0, b=0.0), atol=1e-6)
        assert np.abs(similarity(ids, 1.0) - similarity(ids, 0.0)).max() > 1e-2


def test_zero_k1_and_full_length_discount_of_an_empty_row():
    with np.errstate(all="raise"):
        assert np.isfinite(bm25_features([[5, 6], []], 1.0, k1=0.0)[1]).all()
        assert np.isfinite(bm25_features([[5, 6], []], 1.0, b=1.0)[1]).all()


def test_goldens():
    golden = np.load(shared_path("goldens/bm25.npz"))
    for name in golden["names"]:
        ids, average = golden[f"ids_{name}"], float(golden[f"avgdl_{name}"])
        expected = golden[f"sim_{name}_f64"]
        np.testing.assert_allclose(similarity(ids, average), expected, rtol=1e-5, atol=1e-5)


def test_bad_input_raises():
    with pytest.raises(ValueError, match="0 rows"):
        average_length([])
    with pytest.raises(ValueError, match="0 rows"):
        bm25_features([], 1.0)
    for average in (-1.0, math.nan):
        with pytest.raises(ValueError, match=f"average_length is {average}"):
            bm25_features([[5]], average)
    with pytest.raises(ValueError, match="0 rows"):
        corpus_idf([])
    with pytest.raises(ValueError, match="token 9 is beyond the 6 of the idf"):
        bm25_features([[9]], 1.0, idf=corpus_idf([[5]]))
