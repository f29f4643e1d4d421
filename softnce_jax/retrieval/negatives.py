"""Hard negatives: the most similar candidates that do not answer a query.

Queries are searched in groups and the candidates block by block, so that no (Q, M) matrix of scores
exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from softnce_jax.errors import check_texts
from softnce_jax.retrieval.blocks import pair_dots
from softnce_jax.retrieval.bm25 import Bm25
from softnce_jax.retrieval.ranking import top_candidates, top_scores

__all__ = ["MinedNegatives", "Search", "Selection", "bm25_search", "hard_negatives",
           "vector_search"]  # fmt: skip

RESULTS_PER_SEARCH = 2**20  # candidates returned at once, over all queries of a search

# Indices of queries (R,) and the number of candidates to find, C → indices of candidates and their
# scores, (R, C), best first, and the score of each query's positive, (R,).
Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Selection(NamedTuple):
    """Which wrong candidates are hard negatives.

    Attributes:
      k: how many negatives of a query, K.
      first: the best rank among the wrong candidates that a negative may have, from 1.
      last: the worst rank that it may have.
      absolute_margin: how far below the positive's score a negative's must be, at least.
      relative_margin: the same as a share of the absolute value of the positive's score.
    """

    k: int
    first: int = 1
    last: int = 100
    absolute_margin: float | None = None
    relative_margin: float | None = None

    def highest_score(self, positive_R: np.ndarray) -> np.ndarray:
        """The highest score that a negative may have, (R,), from that of the positive.

        Example:
          >>> Selection(1, relative_margin=0.1).highest_score(np.array([2.0, -2.0])).tolist()
          [1.8, -2.2]
        """
        highest_R = np.full(len(positive_R), np.inf)
        if self.absolute_margin is not None:
            highest_R = np.minimum(highest_R, positive_R - self.absolute_margin)
        if self.relative_margin is not None:
            margin_R = self.relative_margin * np.abs(positive_R)
            highest_R = np.minimum(highest_R, positive_R - margin_R)
        return highest_R


class MinedNegatives(NamedTuple):
    """The hard negatives of Q queries.

    Attributes:
      index_QK: candidates, the most similar first; -1 for none.
      score_QK: their scores; -inf for none.
      positive_Q: the scores of the queries' positives.
    """

    index_QK: np.ndarray
    score_QK: np.ndarray
    positive_Q: np.ndarray


def hard_negatives(
    search: Search, answers: Sequence[Sequence[int]], selection: Selection, *, candidates: int
) -> MinedNegatives:
    """Each query's most similar wrong candidates within the ranks and margins selected.

    Args:
      search: finds candidates of queries.
      answers: the candidates that answer each of Q queries, at least one of each.
      selection: how many, and which.
      candidates: M.

    Returns:
      The negatives; equal scores by the candidates' indices.

    Example:
      >>> q, c = np.eye(2), np.array([[3.0, 0.0], [2.0, 1.0], [1.0, 2.0]])
      >>> search = vector_search(q, c, np.array([0, 2]))
      >>> mined = hard_negatives(search, [[0], [2]], Selection(k=1), candidates=3)
      >>> mined.index_QK.tolist(), mined.score_QK.tolist(), mined.positive_Q.tolist()
      ([[1], [1]], [[2.0], [1.0]], [3.0, 2.0])
    """
    index_QK = np.full((len(answers), selection.k), -1)
    score_QK, positive_Q = np.full(index_QK.shape, -np.inf), np.zeros(len(answers))
    # The search must reach rank `last` among the wrong candidates however many answers come before
    # it, so it goes deeper by their number, rounded up to a power of two. Queries are grouped by
    # that number: some texts occur thousands of times, and must not deepen everyone's search.
    spare_Q = np.array([1 << (len(answer) - 1).bit_length() for answer in answers], int)
    for spare in np.unique(spare_Q):
        group = np.flatnonzero(spare_Q == spare)
        depth = min(candidates, selection.last + int(spare))
        step = max(1, RESULTS_PER_SEARCH // depth)
        for start in range(0, len(group), step):
            rows = group[start : start + step]
            index_RC, score_RC, positive_Q[rows] = search(rows, depth)
            wrong_RC = ~_is_answer(index_RC, [answers[row] for row in rows], candidates)
            highest_R = selection.highest_score(positive_Q[rows])
            column_RK = _select(wrong_RC, score_RC, highest_R, selection)
            for out_QK, result_RC in ((index_QK, index_RC), (score_QK, score_RC)):
                taken_RK = np.take_along_axis(result_RC, np.maximum(column_RK, 0), axis=1)
                out_QK[rows] = np.where(column_RK >= 0, taken_RK, out_QK[rows])
    return MinedNegatives(index_QK, score_QK, positive_Q)


def vector_search(q_QD: np.ndarray, c_MD: np.ndarray, index_Q: np.ndarray) -> Search:
    """Finds candidates by the dot product of vectors; `index_Q` are the queries' positives."""

    def search(rows: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        q_RD = q_QD[rows]
        index_RC, score_RC = top_candidates(q_RD, c_MD, depth)
        return index_RC, score_RC, pair_dots(q_RD, c_MD, np.arange(len(rows)), index_Q[rows])

    return search


def bm25_search(queries: Sequence[str], codes: Sequence[str], index_Q: np.ndarray) -> Search:
    """Finds codes by BM25; those that share no word with the query have no score.

    Args:
      queries: Q texts.
      codes: M codes.
      index_Q: the queries' positives.
    """
    check_texts(queries, "queries")
    index = Bm25(codes)

    def search(rows: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        blocks, done = [], 0
        for score_BM in index.score_blocks([queries[row] for row in rows]):
            index_B = index_Q[rows[done : done + len(score_BM)]]
            done += len(score_BM)
            positive_B1 = np.take_along_axis(score_BM, index_B[:, None], axis=1)
            index_BC, score_BC = top_scores(score_BM, depth)
            score_BC = np.where(score_BC > 0, score_BC, -np.inf)
            blocks.append((index_BC, score_BC, positive_B1[:, 0]))
        return tuple(np.concatenate(column) for column in zip(*blocks, strict=True))

    return search


def _is_answer(
    index_RC: np.ndarray, answers: Sequence[Sequence[int]], candidates: int
) -> np.ndarray:
    """(R, C), whether each candidate found answers its query."""
    row = np.repeat(np.arange(len(answers)), [len(answer) for answer in answers])
    # One number per (query, candidate), so that a single lookup serves all rows.
    keys = row * candidates + np.concatenate([np.asarray(answer) for answer in answers])
    return np.isin(np.arange(len(answers))[:, None] * candidates + index_RC, keys)


def _select(
    wrong_RC: np.ndarray, score_RC: np.ndarray, highest_R: np.ndarray, selection: Selection
) -> np.ndarray:
    """(R, K) columns of the first K wrong candidates within the ranks and margins; -1 for none."""
    rank_RC = np.cumsum(wrong_RC, axis=1)
    chosen_RC = wrong_RC & (rank_RC >= selection.first) & (rank_RC <= selection.last)
    chosen_RC &= (score_RC <= highest_R[:, None]) & (score_RC > -np.inf)
    number_RC = np.cumsum(chosen_RC, axis=1)
    row_P, column_P = np.nonzero(chosen_RC & (number_RC <= selection.k))
    column_RK = np.full((len(wrong_RC), selection.k), -1)
    column_RK[row_P, number_RC[row_P, column_P] - 1] = column_P
    return column_RK
