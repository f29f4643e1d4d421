"""Ranks of the true codes among all candidates, and the retrieval metrics made of them.

A rank is counted, not sorted for: 1 + the candidates that score higher. Candidates with the same
score share the ranks from the best to the worst of them; the metrics use the mean of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jax import Array
    from jaxtyping import Bool, Float, Int

__all__ = [
    "MRR_CUT",
    "Ranks",
    "compare",
    "mrr",
    "negative_ndcg",
    "query_metrics",
    "rank_bounds",
    "summarize",
]

MRR_CUT = 1000
RECALL_AT = (1, 5, 10)
NDCG_AT = 10


class Ranks(NamedTuple):
    """Ranks, counted from 1, of the graded candidates of every query.

    Column 0 is the query's true code, the others are further relevant candidates.

    Attributes:
      best_QG: the rank if every tie were won; 0 where there is no candidate.
      worst_QG: the rank if every tie were lost; 0 where there is no candidate.
      grade_QG: how relevant the candidate is; 0 where there is none.
    """

    best_QG: np.ndarray
    worst_QG: np.ndarray
    grade_QG: np.ndarray


def compare(
    score: Float[Array | np.ndarray, "*S"],
    true: Float[Array | np.ndarray, "*T"],
    slack: Float[Array | np.ndarray, "*U"] | float,
) -> tuple[Bool[Array | np.ndarray, "*S"], Bool[Array | np.ndarray, "*S"]]:
    """Tells which scores lie above `true` by more than `slack`, and which below.

    Args:
      score: candidates' scores.
      true: the score compared with, of a shape that broadcasts to `score`.
      slack: largest difference that counts as none.

    Returns:
      above, below: booleans of the shape of `score`. A NaN on either side is above: it can make
      the true code's rank worse and never better.

    Example:
      >>> import jax.numpy as jnp
      >>> compare(jnp.array([1.0, 2.0, 3.0, jnp.nan]), jnp.array(2.0), 0.0)[0].tolist()
      [False, False, True, True]
    """
    # Not `score > true + slack`: comparisons with NaN are false, and NaN must count as above.
    return ~(score <= true + slack), score < true - slack


def rank_bounds(
    score_QM: Float[Array | np.ndarray, "Q M"],
    relevant_QG: Int[Array | np.ndarray, "Q G"],
    *,
    where_M: Bool[Array | np.ndarray, " M"] | None = None,
    tolerance: float = 0.0,
) -> tuple[Int[Array, "Q G"], Int[Array, "Q G"]]:
    """Best and worst rank of each graded candidate among all candidates.

        best_i = 1 + |{j ≠ i: s_j > s_i + tolerance}|
        worst_i = best_i + |{j ≠ i: |s_j − s_i| ≤ tolerance}|

    A candidate with a NaN score gets the last rank; a NaN elsewhere counts as higher.

    Args:
      score_QM: scores of M candidates for Q queries.
      relevant_QG: indices of the G graded candidates of each query; -1 for none.
      where_M: the candidates that count; default all.
      tolerance: scores at most this far apart are ties.

    Returns:
      best_QG, worst_QG: int32 ranks from 1; 0 where `relevant_QG` is -1.

    Example:
      >>> import jax.numpy as jnp
      >>> best, worst = rank_bounds(jnp.array([[0.9, 0.5, 0.5, 0.1]]), jnp.array([[1, 3]]))
      >>> best.tolist(), worst.tolist()
      ([[2, 4]], [[3, 4]])

    Source: the rank in the MRR of the paper's experiments, whose code leaves ties to the sorting.
    """
    score_QM, relevant_QG = jnp.asarray(score_QM), jnp.asarray(relevant_QG)
    index_1M = jnp.arange(score_QM.shape[1])[None]
    valid_1M = jnp.ones_like(index_1M, bool) if where_M is None else jnp.asarray(where_M)[None]

    def bounds(relevant_Q):
        relevant_Q1 = relevant_Q[:, None]
        true_Q1 = jnp.take_along_axis(
            score_QM, jnp.maximum(relevant_Q1, 0), axis=1, mode="fill", fill_value=jnp.nan
        )
        above_QM, below_QM = compare(score_QM, true_Q1, tolerance)
        other_QM = valid_1M & (index_1M != relevant_Q1)
        best_Q = 1 + jnp.sum(above_QM & other_QM, axis=1, dtype=jnp.int32)
        worst_Q = 1 + jnp.sum(~below_QM & other_QM, axis=1, dtype=jnp.int32)
        return jnp.where(relevant_Q >= 0, best_Q, 0), jnp.where(relevant_Q >= 0, worst_Q, 0)

    best_GQ, worst_GQ = jax.lax.map(bounds, relevant_QG.T)
    return best_GQ.T, worst_GQ.T


def mrr(rank_Q: Sequence[float] | Float[np.ndarray, " Q"]) -> float:
    """Mean reciprocal rank of ranks counted from 1, as of `ranking.rank`.

    Raises:
      ValueError: a rank below 1.

    Example:
      >>> mrr([1, 2, 4])
      0.583...
    """
    rank_Q = np.asarray(rank_Q, np.float64)
    if not (rank_Q >= 1).all():
        raise ValueError(f"ranks are counted from 1, but the lowest is {rank_Q.min()}")
    return float(_reciprocal(rank_Q).mean())


def query_metrics(ranks: Ranks) -> dict[str, np.ndarray]:
    """Every metric of every query, from the mean of the best and the worst rank.

        mrr = 1/rank,  recall@k = [rank ≤ k],  ndcg@10 = Σ grade/log₂(rank+1) / the ideal sum

    Args:
      ranks: ranks and grades, (Q, G); MRR and recall are of column 0 alone, the true code.

    Returns:
      (Q,) float64 arrays: "mrr" (uncut), "mrr@1000" (as published: a rank beyond 1,000 counts 0),
      "mrr_best" and "mrr_worst" (uncut, every tie won or lost), "recall@1", "recall@5",
      "recall@10", "ndcg@10"; and "negative_ndcg@10" where any negative is graded (see
      `negative_ndcg`).

    Example:
      >>> import numpy as np
      >>> ranks = Ranks(np.array([[1], [2]]), np.array([[1], [6]]), np.array([[1], [1]]))
      >>> {name: values.tolist() for name, values in query_metrics(ranks).items()}["mrr"]
      [1.0, 0.25]

    Source: MRR as in the paper's experiments (its code counts ranks beyond 1,000 as 0); nDCG as in
    trec_eval (linear gain, log₂ discount).
    """
    rank_QG = (ranks.best_QG + ranks.worst_QG) / 2
    rank_Q = rank_QG[:, 0]
    values = {
        "mrr": _reciprocal(rank_Q),
        f"mrr@{MRR_CUT}": _reciprocal(rank_Q) * (rank_Q <= MRR_CUT),
        "mrr_best": _reciprocal(ranks.best_QG[:, 0]),
        "mrr_worst": _reciprocal(ranks.worst_QG[:, 0]),
        **{f"recall@{k}": ((rank_Q > 0) & (rank_Q <= k)).astype(float) for k in RECALL_AT},
        f"ndcg@{NDCG_AT}": _ndcg(rank_QG, ranks.grade_QG),
    }
    if ranks.grade_QG[:, 1:].any():
        values[f"negative_ndcg@{NDCG_AT}"] = negative_ndcg(ranks)
    return values


def negative_ndcg(ranks: Ranks) -> np.ndarray:
    """nDCG@10 of every query's negatives: the true code is taken out of the ranking.

        nDCG⁻ = Σ_{g≥1} grade_g / log₂(rank⁻_g + 1) / the ideal sum

    rank⁻ is a candidate's rank among the candidates without the true code, the mean of its best
    and worst rank. MRR and nDCG are mostly about the true code; this is about the rest alone:
    whether the model puts weakly relevant functions before unrelated ones.

    Args:
      ranks: ranks and grades, (Q, G); column 0 is the true code.

    Returns:
      (Q,) float64; 0 for a query without graded negatives.

    Example:
      One related function, third after an unrelated one and the true code: second without it.

      >>> rank = np.array([[2, 3]])
      >>> negative_ndcg(Ranks(rank, rank, np.array([[3, 1]]))) * np.log2(3)
      array([1.])

    Source: ours; the paper (Limitations) could not measure the order of the negatives, because its
    benchmarks have binary labels.
    """
    best_QG, worst_QG = ranks.best_QG[:, 1:], ranks.worst_QG[:, 1:]
    # A best rank counted the true code if that is above, a worst rank if it is not below.
    above_QG = (ranks.best_QG[:, :1] > 0) & (ranks.best_QG[:, :1] < best_QG)
    not_below_QG = (ranks.best_QG[:, :1] > 0) & (ranks.worst_QG[:, :1] <= worst_QG)
    rank_QG = (best_QG - above_QG + worst_QG - not_below_QG) / 2
    return _ndcg(rank_QG, ranks.grade_QG[:, 1:])


def summarize(
    *groups: dict[str, np.ndarray], seed: int = 0, samples: int = 1000
) -> dict[str, dict[str, float]]:
    """Mean over the queries of each metric, with a bootstrap 95 % interval.

    The queries are drawn with replacement `samples` times; one draw serves all metrics. The
    interval runs from the 2.5th to the 97.5th percentile of the means. With several groups
    (languages) the value is the mean of their means, and queries are drawn within each.

    Args:
      groups: metric name → (Q,) values, as `query_metrics` gives them; metrics that not every group
        has are left out.
      seed: of the draws; the same seed and Q draw the same queries for every system.
      samples: number of draws.

    Returns:
      Metric name → {"value", "low", "high"}.

    Raises:
      ValueError: if a group has no queries.

    Example:
      >>> import numpy as np
      >>> summarize({"mrr": np.array([0.5, 0.5])})
      {'mrr': {'value': 0.5, 'low': 0.5, 'high': 0.5}}
      >>> summarize({"mrr": np.array([1.0])}, {"mrr": np.array([0.0, 0.0])})
      {'mrr': {'value': 0.5, 'low': 0.5, 'high': 0.5}}

    Source: percentile bootstrap (Efron, 1979).
    """
    random = np.random.default_rng(seed)
    names = [name for name in groups[0] if all(name in values for values in groups)]
    tables = [np.stack([values[name] for name in names], axis=1) for values in groups]
    mean_SK = np.mean([_resampled(value_QK, random, samples) for value_QK in tables], axis=0)
    value_K = np.mean([value_QK.mean(axis=0) for value_QK in tables], axis=0)
    low_K, high_K = np.quantile(mean_SK, [0.025, 0.975], axis=0)
    columns = zip(names, value_K, low_K, high_K, strict=True)
    return {
        name: {"value": float(value), "low": float(low), "high": float(high)}
        for name, value, low, high in columns
    }


def _resampled(value_QK: np.ndarray, random: np.random.Generator, samples: int) -> np.ndarray:
    """Means (S, K) of S resamples, each of Q queries drawn with replacement."""
    queries = len(value_QK)
    if not queries:
        raise ValueError("0 queries have no mean: evaluate on at least 1 query")
    mean_SK = np.empty((samples, value_QK.shape[1]))
    for row_K in mean_SK:
        # How often each query was drawn, as weights of one product for all metrics.
        drawn_Q = np.bincount(random.integers(queries, size=queries), minlength=queries)
        row_K[:] = drawn_Q @ value_QK / queries
    return mean_SK


def _reciprocal(rank: np.ndarray) -> np.ndarray:
    return np.where(rank > 0, 1 / np.maximum(rank, 1), 0.0)


def _ndcg(rank_QG: np.ndarray, grade_QG: np.ndarray) -> np.ndarray:
    counted_QG = (rank_QG > 0) & (rank_QG <= NDCG_AT)
    gain_Q = np.sum(counted_QG * grade_QG / np.log2(np.maximum(rank_QG, 1) + 1), axis=1)
    ideal_QG = -np.sort(-grade_QG, axis=1)[:, :NDCG_AT]
    best_Q = np.sum(ideal_QG / np.log2(np.arange(ideal_QG.shape[1]) + 2), axis=1)
    return gain_Q / np.where(best_Q > 0, best_Q, 1)
