"""Ranks, metrics and intervals against loops, arithmetic and the published code's numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax.retrieval.metrics import (
    Ranks,
    negative_ndcg,
    query_metrics,
    rank_bounds,
    summarize,
)
from tests.retrieval import reference
from tests.shared import shared_path

GOLDEN = (
    "basic",
    "cut1000",
    "rank_999_1000_1001",
    "absent_url",
    "duplicate_urls",
    "ties_small",
    "ties_300",
    "all_equal_50",
    "one_above_equal",
    "fewer_codes_than_1000",
)


@pytest.fixture(scope="module")
def golden():
    with np.load(shared_path("goldens/mrr.npz")) as file:
        return dict(file)


def golden_ranks(golden, name):
    """The published rank is of the first right code in the order, so the best of equal urls."""
    nl, code = golden[f"nl_{name}"], golden[f"code_{name}"]
    found = [np.flatnonzero(code == url) for url in nl]
    relevant = np.full((len(nl), max(1, *map(len, found))), -1)
    for row, right in zip(relevant, found, strict=True):
        row[: len(right)] = right
    best, worst = (np.array(x) for x in rank_bounds(golden[f"scores_{name}"], relevant))
    far = np.iinfo(np.int32).max
    best, worst = (np.where(x > 0, x, far).min(axis=1, keepdims=True) for x in (best, worst))
    best, worst = (np.where(x < far, x, 0) for x in (best, worst))
    return Ranks(best, worst, np.ones_like(best))


@pytest.mark.parametrize("name", GOLDEN)
def test_bounds_and_cut_are_the_published_ones(golden, name):
    ranks = golden_ranks(golden, name)
    best, worst = (
        query_metrics(Ranks(x, x, ranks.grade_QG))["mrr@1000"].mean()
        for x in (ranks.best_QG, ranks.worst_QG)
    )
    assert best == pytest.approx(golden[f"mrr_optimistic_{name}"], abs=1e-12)
    assert worst == pytest.approx(golden[f"mrr_pessimistic_{name}"], abs=1e-12)
    values = query_metrics(ranks)
    if golden[f"mrr_optimistic_{name}"] == golden[f"mrr_pessimistic_{name}"]:
        np.testing.assert_allclose(values["mrr@1000"], golden[f"rr_{name}"], rtol=1e-12)
    else:
        assert worst < values["mrr@1000"].mean() < best


def test_cut_and_uncut_differ_beyond_1000(golden):
    values = query_metrics(golden_ranks(golden, "rank_999_1000_1001"))
    np.testing.assert_allclose(values["mrr"], [1 / 999, 1 / 1000, 1 / 1001])
    np.testing.assert_allclose(values["mrr@1000"], [1 / 999, 1 / 1000, 0])


def test_nan_scores_that_won_now_lose(golden):
    values = query_metrics(golden_ranks(golden, "nan"))
    # Rows 2 and 3 of this matrix: the true code is NaN, then all of them are.
    np.testing.assert_allclose(values["mrr"][2:], 1 / 20)
    assert golden["rr_nan"][2] == 1.0
    assert (values["mrr"] < golden["rr_nan"] + 1e-12).all()


def test_bounds_equal_a_loop():
    random = np.random.default_rng(0)
    score = random.integers(0, 12, (9, 40)).astype(np.float32)
    relevant = random.integers(-1, 40, (9, 3))
    where = random.random(40) < 0.7
    best, worst = rank_bounds(score, relevant, where_M=where, tolerance=1.0)
    for q in range(9):
        for g in range(3):
            m = relevant[q, g]
            expected = reference.bounds(score[q], m, 1.0, where) if m >= 0 else (0, 0)
            assert (best[q, g], worst[q, g]) == expected
    without = rank_bounds(score, relevant, where_M=where)
    assert not np.array_equal(worst, without[1])
    assert not np.array_equal(best, rank_bounds(score, relevant, tolerance=1.0)[0])


def test_masked_equals_dropped():
    random = np.random.default_rng(1)
    score = random.normal(size=(4, 30)).astype(np.float32)
    relevant = np.arange(4)[:, None]
    where = np.arange(30) < 20
    masked = rank_bounds(score, relevant, where_M=where)
    dropped = rank_bounds(score[:, :20], relevant)
    np.testing.assert_array_equal(masked, dropped)
    assert not np.array_equal(masked, rank_bounds(score, relevant))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_score_made_bad_improves_the_rank_of_the_true_code(bad):
    score = np.random.default_rng(2).normal(size=(20, 20)).astype(np.float32)
    relevant = np.zeros((20, 1), int)
    honest_best, honest_worst = rank_bounds(score, relevant)
    worse = np.where(np.eye(20, dtype=bool), np.float32(np.nan), score)
    best, worst = rank_bounds(worse, relevant)
    assert (best >= honest_best).all() and (worst >= honest_worst).all()
    assert (best[0, 0], worst[0, 0]) == (20, 20)
    all_bad = rank_bounds(np.full_like(score, bad), relevant)
    assert (np.mean(all_bad, axis=0) >= 10.5).all()


def test_runs_under_jit_in_bfloat16_and_strict_promotion():
    score = jnp.array([[3.0, 1.0, 2.0]], jnp.bfloat16)
    with jax.numpy_dtype_promotion("strict"):
        best, worst = jax.jit(rank_bounds)(score, jnp.array([[1, 2]]))
    assert best.tolist() == worst.tolist() == [[3, 2]]
    assert best.dtype == jnp.int32


def test_per_query_by_arithmetic():
    best, worst = np.array([[1], [3], [5], [0]]), np.array([[1], [8], [5], [0]])
    values = query_metrics(Ranks(best, worst, np.array([[1], [1], [1], [1]])))
    rank = [1, (3 + 8) / 2, 5]
    expected = {
        "mrr": [1, 1 / rank[1], 1 / 5, 0],
        "mrr@1000": [1, 1 / rank[1], 1 / 5, 0],
        "mrr_best": [1, 1 / 3, 1 / 5, 0],
        "mrr_worst": [1, 1 / 8, 1 / 5, 0],
        "recall@1": [1, 0, 0, 0],
        "recall@5": [1, 0, 1, 0],
        "recall@10": [1, 1, 1, 0],
        "ndcg@10": [1, 1 / np.log2(rank[1] + 1), 1 / np.log2(6), 0],
    }
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-15, err_msg=name)


def test_ndcg_equals_a_loop_and_uses_grades():
    random = np.random.default_rng(3)
    rank = np.stack([random.permutation(14)[:12] + 1 for _ in range(8)])
    rank[:, 11] = 0
    grades = random.integers(1, 4, (8, 12)) * (rank > 0)
    values = query_metrics(Ranks(rank, rank, grades))["ndcg@10"]
    expected = [reference.ndcg(p, g) for p, g in zip(rank, grades, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=1e-14)
    flat = query_metrics(Ranks(rank, rank, (grades > 0).astype(int)))["ndcg@10"]
    assert np.abs(flat - values).max() > 0.01


def test_ndcg_of_the_negatives_equals_a_loop_that_removes_the_true_code():
    random = np.random.default_rng(5)
    score = random.integers(0, 9, (40, 25)).astype(np.float32)  # many ties
    relevant = np.stack([random.permutation(25)[:5] for _ in range(40)])
    relevant[::4, 4] = -1
    grades = np.where(relevant >= 0, random.integers(1, 4, relevant.shape), 0)
    ranks = Ranks(*(np.asarray(x) for x in rank_bounds(score, relevant)), grades)
    expected = [
        reference.negative_ndcg(s, r[0], {m: g for m, g in zip(r[1:], k[1:], strict=True) if g})
        for s, r, k in zip(score.tolist(), relevant.tolist(), grades.tolist(), strict=True)
    ]
    found = negative_ndcg(ranks)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_array_equal(query_metrics(ranks)["negative_ndcg@10"], found)
    # The control: left in the ranking, the true code worsens the ranks of the others.
    with_it = Ranks(*(x[:, 1:] for x in ranks))
    assert np.abs(query_metrics(with_it)["ndcg@10"] - found).max() > 0.05


def test_where_the_true_code_stands_does_not_change_the_order_of_the_negatives():
    first, last = np.array([[1, 3, 4]]), np.array([[9, 2, 3]])
    grade = np.array([[3, 1, 1]])
    found = [negative_ndcg(Ranks(x, x, grade)) for x in (first, last)]
    np.testing.assert_array_equal(*found)
    ideal = 1 + 1 / np.log2(3)
    np.testing.assert_allclose(found[0], (1 / np.log2(3) + 1 / np.log2(4)) / ideal)


def test_no_graded_negatives_no_ndcg_of_them():
    rank = np.array([[1, 0], [2, 0]])
    assert "negative_ndcg@10" not in query_metrics(Ranks(rank, rank, np.array([[1, 0], [1, 0]])))
    values = {"mrr": np.ones(2), "negative_ndcg@10": np.ones(2)}
    assert summarize(values, {"mrr": np.zeros(3)}).keys() == {"mrr"}


def test_bootstrap_of_a_coin_has_the_binomial_interval():
    values = {"coin": np.repeat([0.0, 1.0], 200)}
    found = summarize(values, samples=4000)["coin"]
    half = 1.96 * np.sqrt(0.25 / 400)
    assert found["value"] == 0.5
    assert found["low"] == pytest.approx(0.5 - half, abs=0.004)
    assert found["high"] == pytest.approx(0.5 + half, abs=0.004)


def test_bootstrap_by_hand_is_deterministic_and_draws_once_for_all():
    random = np.random.default_rng(4)
    values = {"a": random.random(7), "b": random.random(7)}
    draws = np.random.default_rng(11)
    means = []
    for _ in range(50):
        drawn = draws.integers(7, size=7)
        means.append([values[name][drawn].mean() for name in values])
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    found = summarize(values, seed=11, samples=50)
    for k, name in enumerate(values):
        assert found[name]["value"] == pytest.approx(values[name].mean())
        assert found[name]["low"] == pytest.approx(low[k])
        assert found[name]["high"] == pytest.approx(high[k])
    assert summarize(values, seed=11, samples=50) == found
    assert summarize(values, seed=12, samples=50) != found


def test_no_queries_have_no_mean():
    with pytest.raises(ValueError, match="0 queries"):
        summarize({"mrr": np.zeros(0)})
