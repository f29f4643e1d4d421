"""Ranks by dot product and the best candidates: exact for any blocks, order and devices."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from softnce_jax.data.corpus import Candidate, Pair
from softnce_jax.retrieval import blocks
from softnce_jax.retrieval.blocks import block_shape
from softnce_jax.retrieval.metrics import Ranks, mrr, query_metrics, rank_bounds
from softnce_jax.retrieval.ranking import (
    TIE,
    rank,
    relevance,
    score_ranks,
    top_candidates,
    top_scores,
    vector_ranks,
)
from tests.retrieval import reference


def vectors(queries=37, candidates=90, width=24, *, spread=1.0, seed=0):
    """Vectors whose scores lie about `spread` apart, with duplicates and graded candidates."""
    random = np.random.default_rng(seed)
    middle = random.normal(size=width)
    q, c = (
        (middle + spread * random.normal(size=(n, width))).astype(np.float32)
        for n in (queries, candidates)
    )
    c[5], c[17] = c[50], c[50]
    relevant = np.stack([random.permutation(candidates)[:3] for _ in range(queries)])
    relevant[:, 2] = np.where(random.random(queries) < 0.5, relevant[:, 2], -1)
    relevant[0, 0], relevant[1, 0] = 5, 50
    grade = np.where(relevant >= 0, [[3, 1, 1]], 0)
    return q, c, relevant.astype(np.int32), grade.astype(np.int32)


def mesh(devices, kind=AxisType.Auto):
    return jax.make_mesh((devices,), ("data",), (kind,), devices=jax.devices()[:devices])


def assert_same(found: Ranks, expected: Ranks):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-5])
def test_equal_exact_arithmetic_even_where_float32_cannot_tell(spread):
    q, c, relevant, grade = vectors(12, 60, spread=spread)
    found = vector_ranks(q, c, relevant, grade)
    best, worst = reference.vector_bounds(q, c, relevant, TIE)
    np.testing.assert_array_equal(found.best_QG, best)
    np.testing.assert_array_equal(found.worst_QG, worst)
    np.testing.assert_array_equal(found.grade_QG, grade)


def test_float32_alone_would_be_wrong_there():
    q, c, relevant, grade = vectors(64, 400, width=256, spread=1e-4)
    exact = vector_ranks(q, c, relevant, grade)
    naive = rank_bounds(q @ c.T, relevant)
    assert not np.array_equal(exact.best_QG, naive[0])


@pytest.mark.parametrize("spread", [1.0, 1e-5])
@pytest.mark.parametrize("devices", [1, 2, 4])
@pytest.mark.parametrize("row_block", [None, 1, 8])
def test_blocks_and_devices_change_nothing(spread, devices, row_block):
    data = vectors(spread=spread)
    found = vector_ranks(*data, mesh=mesh(devices), row_block=row_block)
    assert_same(found, vector_ranks(*data))


def test_explicit_axes_and_further_axes():
    data = vectors()
    assert_same(vector_ranks(*data, mesh=mesh(4, AxisType.Explicit)), vector_ranks(*data))
    two = jax.make_mesh((2, 2), ("model", "data"), (AxisType.Auto,) * 2)
    assert_same(vector_ranks(*data, mesh=two), vector_ranks(*data))


@pytest.mark.parametrize("width", [8, 32, 64])
def test_blocks_of_candidates_change_nothing(monkeypatch, width):
    data = vectors()
    expected = vector_ranks(*data)
    monkeypatch.setattr(blocks, "MAX_BLOCK_CANDIDATES", width)
    assert block_shape(90).candidates == width
    assert_same(vector_ranks(*data, mesh=mesh(2), row_block=4), expected)


@pytest.mark.parametrize("spread", [1.0, 1e-5])
def test_order_of_queries_and_candidates_changes_nothing(spread):
    q, c, relevant, grade = vectors(spread=spread)
    expected = vector_ranks(q, c, relevant, grade)
    random = np.random.default_rng(1)
    rows, columns = random.permutation(len(q)), random.permutation(len(c))
    index = np.append(np.argsort(columns), -1)  # of an old index; -1 stays -1
    found = vector_ranks(q[rows], c[columns], index[relevant[rows]], grade[rows])
    assert_same(found, Ranks(*(x[rows] for x in expected)))
    assert not np.array_equal(found.best_QG, expected.best_QG)


def test_rank_and_mrr_by_hand():
    q, c, relevant, _ = vectors()
    positive = relevant[:, 0]
    score = q.astype(np.float64) @ c.T.astype(np.float64)
    own = score[np.arange(len(q)), positive][:, None]
    near = np.abs(score - own) <= 1e-9  # the duplicates
    expected = (score - own > 1e-9).sum(axis=1) + (1 + near.sum(axis=1)) / 2
    found = rank(q, c, positive)
    np.testing.assert_array_equal(found, expected)
    assert near.sum() > len(q) and expected.max() > 2  # some tie
    assert mrr(found) == pytest.approx(np.mean([1 / each for each in expected]))
    np.testing.assert_array_equal(rank(q, c), rank(q, c, np.arange(len(q))))
    with pytest.raises(ValueError, match=r"counted from 1, but the lowest is 0.0"):
        mrr([1, 0])


def test_alone_or_among_others_a_query_has_the_same_ranks():
    q, c, relevant, grade = vectors(spread=1e-5)
    every = vector_ranks(q, c, relevant, grade)
    for row in (0, 1, 36):
        one = slice(row, row + 1)
        found = vector_ranks(q[one], c, relevant[one], grade[one])
        assert_same(found, Ranks(*(x[one] for x in every)))


def test_duplicates_tie_and_others_do_not():
    found = vector_ranks(*vectors())
    assert found.worst_QG[0, 0] == found.best_QG[0, 0] + 2
    assert found.worst_QG[1, 0] == found.best_QG[1, 0] + 2
    assert found.worst_QG[0, 0] < 90
    assert (found.worst_QG == found.best_QG).mean() > 0.9


@pytest.mark.parametrize(("step", "ties"), [(1e-7, 1), (1e-4, 0)])
def test_near_duplicates_tie_within_rounding_only(step, ties):
    random = np.random.default_rng(6)
    q, c = (random.normal(size=(n, 64)).astype(np.float32) for n in (9, 40))
    q = q + c[5]  # so that the score is not small against |q|·|c|
    c[6] = c[5] * np.float32(1 + step)
    assert not np.array_equal(c[6], c[5])
    relevant = np.full((9, 1), 5, np.int32)
    found = vector_ranks(q, c, relevant, np.ones_like(relevant))
    assert (found.worst_QG - found.best_QG == ties).all()


def test_all_equal_is_the_middle():
    one = np.ones((4, 8), np.float32)
    relevant = np.arange(4, dtype=np.int32)[:, None]
    found = vector_ranks(one, one, relevant, np.ones_like(relevant))
    assert found.best_QG.tolist() == [[1]] * 4 and found.worst_QG.tolist() == [[4]] * 4
    np.testing.assert_allclose(query_metrics(found)["mrr"], 1 / 2.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_never_win(bad):
    q, c, relevant, grade = vectors()
    honest = vector_ranks(q, c, relevant, grade)
    broken = c.copy()
    broken[relevant[3, 0], 2] = bad
    found = vector_ranks(q, broken, relevant, grade)
    there = relevant >= 0
    assert (found.best_QG >= honest.best_QG)[there].all()
    assert found.best_QG[3, 0] == found.worst_QG[3, 0] == 90
    assert found.best_QG[4, 0] <= honest.best_QG[4, 0] + 1
    lost = vector_ranks(np.full_like(q, bad), c, relevant, grade)
    assert (lost.best_QG[there] == 90).all() and (lost.worst_QG[there] == 90).all()
    all_lost = vector_ranks(q, np.full_like(c, bad), relevant, grade)
    assert query_metrics(all_lost)["mrr"].max() == 1 / 90


def test_huge_and_tiny_vectors_keep_their_ranks():
    q, c, relevant, grade = vectors()
    expected = vector_ranks(q, c, relevant, grade)
    for scale in (2.0**40, 2.0**-40):
        assert_same(vector_ranks(q * np.float32(scale), c, relevant, grade), expected)


@pytest.mark.parametrize("candidates", [1, 90, 43_827, 131_072, 131_073, 10_000_000])
def test_a_block_holds_at_most_64_mib_of_scores(candidates):
    block = block_shape(candidates)
    assert 4 * block.queries * block.candidates <= 64 * 2**20
    assert block.candidates % 8 == 0 and block.queries >= 128


OF_A_QUERY = (
    ((24,), np.float32),
    ((), np.float32),
    ((3,), np.float32),
    ((3,), np.float32),
    ((3,), np.int32),
)
OF_A_CANDIDATE = (((24,), np.float32), ((), np.float32), ((), bool))


def compilations_of(name, caplog):
    """Starts to listen; what it returns gives the lines of jax's log about compiling `name`."""
    caplog.set_level("DEBUG", logger="jax._src.interpreters.pxla")
    return lambda: [r for r in caplog.records if f"Compiling jit({name})" in r.getMessage()]


def test_no_array_of_the_program_is_larger_than_its_block_and_it_compiles_once(caplog):
    q, c, relevant, grade = vectors(700, 900)
    queries, columns = block_shape(900)
    shapes = []

    def record(jaxpr):
        for equation in jaxpr.eqns:
            shapes.extend(x.aval.shape for x in equation.outvars)
            for inner in jax.tree.leaves(list(equation.params.values())):
                if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                    record(getattr(inner, "jaxpr", inner))

    blocks.count_block.clear_cache()
    compiled = compilations_of("count_block", caplog)
    whole = vector_ranks(q, c, relevant, grade)
    vector_ranks(q[:300], c, relevant[:300], grade[:300])
    assert len(compiled()) == 1
    put = (
        tuple(np.zeros((queries, *shape), dtype) for shape, dtype in OF_A_QUERY),
        tuple(np.zeros((columns, *shape), dtype) for shape, dtype in OF_A_CANDIDATE),
    )
    record(jax.make_jaxpr(lambda *x: blocks.count_block(mesh(1), *x))(*put).jaxpr)
    sizes = [int(np.prod(shape)) for shape in shapes]
    assert queries * columns in sizes, "the block itself was not seen: the check sees nothing"
    assert max(sizes) <= 2 * queries * columns < whole.best_QG.shape[0] * 900


def test_bad_input_is_named():
    q, c, relevant, grade = vectors()
    with pytest.raises(ValueError, match=r"queries \(37, 23\) and candidates \(90, 24\)"):
        vector_ranks(q[:, 1:], c, relevant, grade)
    with pytest.raises(ValueError, match="0 to 90 for 90 candidates"):
        vector_ranks(q, c, np.linspace(0, 90, relevant.size, dtype=int).reshape(37, 3), grade)
    with pytest.raises(ValueError, match=r"relevant \(36, 3\) and grade \(37, 3\) for 37 queries"):
        vector_ranks(q, c, relevant[1:], grade)
    with pytest.raises(ValueError, match="name one 'data'"):
        vector_ranks(q, c, relevant, grade, mesh=jax.make_mesh((1,), ("x",), (AxisType.Auto,)))


def test_rows_of_scores_equal_rank_bounds_for_any_block():
    random = np.random.default_rng(5)
    score = random.integers(0, 20, (23, 50)).astype(np.float32)
    relevant = random.integers(-1, 50, (23, 2)).astype(np.int32)
    grade = (relevant >= 0).astype(np.int32)
    best, worst = rank_bounds(score, relevant)
    for rows in (1, 7, 23, 64):
        pieces = (score[start : start + rows] for start in range(0, 23, rows))
        assert_same(score_ranks(pieces, relevant, grade), Ranks(best, worst, grade))
    with pytest.raises(ValueError, match="22 rows of scores for 23 queries"):
        score_ranks([score[:22]], relevant, grade)


def pair(url, family=None):
    return Pair("q", "code", url, "python", family)


def candidate(url, family=None):
    return Candidate("code", url, "python", family)


def test_relevance_by_url_and_family():
    candidates = [candidate("d", "x"), candidate("c"), candidate("a", "x"), candidate("b", "x")]
    relevant, grade = relevance([pair("a", "x"), pair("c"), pair("a", "x")], candidates)
    assert relevant.tolist() == [[2, 3, 0], [1, -1, -1], [2, 3, 0]]
    assert grade.tolist() == [[3, 1, 1], [3, 0, 0], [3, 1, 1]]


def test_relevance_without_families_has_grade_one():
    relevant, grade = relevance([pair("b")], [candidate("a"), candidate("b")])
    assert relevant.tolist() == [[1]] and grade.tolist() == [[1]]


def test_relevance_names_what_is_wrong():
    with pytest.raises(ValueError, match="no candidate has the url 'z'"):
        relevance([pair("z")], [candidate("a")])
    with pytest.raises(ValueError, match="3 candidates have 2 urls"):
        relevance([pair("a")], [candidate("a"), candidate("b"), candidate("a")])


def sorted_all(q, c):
    score = np.array([[(a * b).sum() for b in c.astype(float)] for a in q.astype(float)])
    order = np.argsort(-score, axis=1, kind="stable")
    return order, np.take_along_axis(score, order, axis=1)


def small_vectors():
    random = np.random.default_rng(0)
    q, c = (random.normal(size=(n, 16)).astype(np.float32) for n in (11, 77))
    c[40] = c[3]
    return q, c


@pytest.mark.parametrize("width", [2**17, 16])
@pytest.mark.parametrize("k", [1, 10, 77, 500])
def test_the_top_equals_a_full_sort(monkeypatch, width, k):
    monkeypatch.setattr(blocks, "MAX_BLOCK_CANDIDATES", width)
    q, c = small_vectors()
    index, score = top_candidates(q, c, k)
    order, expected = sorted_all(q, c)
    assert index.shape == score.shape == (11, min(k, 77))
    np.testing.assert_array_equal(index, order[:, :k])
    np.testing.assert_allclose(score, expected[:, :k], rtol=1e-12)


def test_the_top_agrees_with_the_ranks():
    q, c = small_vectors()
    index, _ = top_candidates(q, c, 77)
    relevant = np.arange(11, dtype=np.int32)[:, None] + 4
    ranks = vector_ranks(q, c, relevant, np.ones_like(relevant))
    rank = 1 + np.argmax(index == relevant, axis=1)
    np.testing.assert_array_equal(rank, ranks.best_QG[:, 0])


def test_no_queries_find_nothing():
    q, c = small_vectors()
    assert top_candidates(q[:0], c, 5)[0].shape == (0, 5)


def test_rows_of_scores():
    index, score = top_scores(np.array([[1.0, 5.0, 5.0, 2.0], [0.0, -1.0, 3.0, 0.0]]), 3)
    assert index.tolist() == [[1, 2, 3], [2, 0, 3]]
    assert score.tolist() == [[5.0, 5.0, 2.0], [3.0, 0.0, 0.0]]


@pytest.mark.parametrize("k", [1, 7, 40, 99])
def test_rows_of_equal_scores_are_cut_by_index(k):
    score = np.random.default_rng(0).integers(0, 4, (9, 40)).astype(np.float32)
    index, found = top_scores(score, k)
    order = np.argsort(-score, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(index, order)
    np.testing.assert_array_equal(found, np.take_along_axis(score, order, axis=1))


def test_bad_input_of_the_top_is_named():
    q, c = small_vectors()
    with pytest.raises(ValueError, match="k is 0"):
        top_candidates(q, c, 0)
    with pytest.raises(ValueError, match=r"queries \(11, 15\)"):
        top_candidates(q[:, 1:], c, 3)
    c[7, 2] = np.nan
    with pytest.raises(ValueError, match=r"1 of 77 candidate vectors are not finite.*row 7"):
        top_candidates(q, c, 3)
