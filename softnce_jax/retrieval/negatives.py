"""The most similar wrong candidates of queries: a search, then what is left of it.

Queries are searched some at a time, and the candidates block by block, so that no (Q, M) matrix of
scores exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from softnce_jax.retrieval.blocks import pair_dots
from softnce_jax.retrieval.bm25 import Bm25
from softnce_jax.retrieval.ranking import top_candidates, top_scores

CELLS = 2**20  # candidates found at once, over all queries of a search

# Queries by number (R,) and how many candidates to find, C: their numbers and scores, (R, C), best
# first, and the score of each query's own candidate (R,).
Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Wanted(NamedTuple):
    """Which wrong candidates are hard negatives.

    Attributes:
      k: how many of a query, K.
      first: the rank among the wrong ones from which they are taken, from 1.
      last: the rank up to which they are.
      absolute_margin: by how much, at least, a score lies below that of the query's own candidate.
      relative_margin: the same as a share of the absolute value of that score.
    """

    k: int
    first: int = 1
    last: int = 100
    absolute_margin: float | None = None
    relative_margin: float | None = None

    def most(self, own_R: np.ndarray) -> np.ndarray:
        """The highest score that a negative may have, (R,), from that of the own candidate.

        Example:
          >>> Wanted(1, relative_margin=0.1).most(np.array([2.0, -2.0])).tolist()
          [1.8, -2.2]
        """
        most_R = np.full(len(own_R), np.inf)
        if self.absolute_margin is not None:
            most_R = np.minimum(most_R, own_R - self.absolute_margin)
        if self.relative_margin is not None:
            most_R = np.minimum(most_R, own_R - self.relative_margin * np.abs(own_R))
        return most_R


class Hard(NamedTuple):
    """The hard negatives of Q queries.

    Attributes:
      index_QK: candidates, the most similar first; -1 for none.
      score_QK: their scores; -inf for none.
      own_Q: the scores of the queries' own candidates.
    """

    index_QK: np.ndarray
    score_QK: np.ndarray
    own_Q: np.ndarray


def hard_negatives(
    search: Search, right: Sequence[Sequence[int]], wanted: Wanted, *, candidates: int
) -> Hard:
    """Each query's most similar wrong candidates within the ranks and margins wanted.

    Args:
      search: finds candidates of queries.
      right: the candidates that are right for each of Q queries.
      wanted: how many, and which.
      candidates: M.

    Returns:
      The Hard negatives; equal scores by the candidates' numbers.

    Example:
      >>> q, c = np.eye(2), np.array([[3.0, 0.0], [2.0, 1.0], [1.0, 2.0]])
      >>> found = hard_negatives(
      ...     vector_search(q, c, np.array([0, 2])), [[0], [2]], Wanted(k=1), candidates=3)
      >>> found.index_QK.tolist(), found.score_QK.tolist(), found.own_Q.tolist()
      ([[1], [1]], [[2.0], [1.0]], [3.0, 2.0])
    """
    index_QK = np.full((len(right), wanted.k), -1)
    score_QK, own_Q = np.full(index_QK.shape, -np.inf), np.zeros(len(right))
    # So many are searched for that the last rank is found however many before it are right. Queries
    # with about as many right ones go together: some texts stand in the data thousands of times.
    spare_Q = np.array([1 << (len(numbers) - 1).bit_length() for numbers in right], int)
    for spare in np.unique(spare_Q):
        chosen = np.flatnonzero(spare_Q == spare)
        depth = min(candidates, wanted.last + int(spare))
        step = max(1, CELLS // depth)
        for start in range(0, len(chosen), step):
            rows = chosen[start : start + step]
            index_RC, score_RC, own_Q[rows] = search(rows, depth)
            wrong_RC = ~is_right(index_RC, [right[row] for row in rows], candidates)
            place_RK = left(wrong_RC, score_RC, wanted.most(own_Q[rows]), wanted)
            there_RK = place_RK >= 0
            for out_QK, found_RC in ((index_QK, index_RC), (score_QK, score_RC)):
                taken_RK = np.take_along_axis(found_RC, np.maximum(place_RK, 0), axis=1)
                out_QK[rows] = np.where(there_RK, taken_RK, out_QK[rows])
    return Hard(index_QK, score_QK, own_Q)


def is_right(index_RC: np.ndarray, right: Sequence[Sequence[int]], candidates: int) -> np.ndarray:
    """(R, C), whether each candidate found is right for its query."""
    row = np.repeat(np.arange(len(right)), [len(numbers) for numbers in right])
    keys = row * candidates + np.concatenate([np.asarray(numbers) for numbers in right])
    return np.isin(np.arange(len(right))[:, None] * candidates + index_RC, keys)


def left(
    wrong_RC: np.ndarray, score_RC: np.ndarray, most_R: np.ndarray, wanted: Wanted
) -> np.ndarray:
    """(R, K) places of the first K that are wrong, within the ranks and not above the most."""
    rank_RC = np.cumsum(wrong_RC, axis=1)
    kept_RC = wrong_RC & (rank_RC >= wanted.first) & (rank_RC <= wanted.last)
    kept_RC &= (score_RC <= most_R[:, None]) & (score_RC > -np.inf)
    number_RC = np.cumsum(kept_RC, axis=1)
    row_P, place_P = np.nonzero(kept_RC & (number_RC <= wanted.k))
    place_RK = np.full((len(wrong_RC), wanted.k), -1)
    place_RK[row_P, number_RC[row_P, place_P] - 1] = place_P
    return place_RK


def vector_search(q_QD: np.ndarray, c_MD: np.ndarray, own_Q: np.ndarray) -> Search:
    """Finds candidates by the dot product of vectors, `own_Q` the queries' own candidates."""

    def search(rows: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        q_RD = q_QD[rows]
        index_RC, score_RC = top_candidates(q_RD, c_MD, depth)
        return index_RC, score_RC, pair_dots(q_RD, c_MD, np.arange(len(rows)), own_Q[rows])

    return search


def bm25_search(queries: Sequence[str], codes: Sequence[str], own_Q: np.ndarray) -> Search:
    """Finds codes by BM25; those without a word of the query have no score."""
    index = Bm25(codes)

    def search(rows: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found, done = [], 0
        for score_BM in index.score_blocks([queries[row] for row in rows]):
            own_B = own_Q[rows[done : done + len(score_BM)]]
            done += len(score_BM)
            score_B1 = np.take_along_axis(score_BM, own_B[:, None], axis=1)
            index_BC, score_BC = top_scores(score_BM, depth)
            score_BC = np.where(score_BC > 0, score_BC, -np.inf)
            found.append((index_BC, score_BC, score_B1[:, 0]))
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))

    return search
