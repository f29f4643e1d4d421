"""nDCG against human judgements, as CodeSearchNet's benchmark computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from softnce_jax.data.corpus import Candidate
from softnce_jax.retrieval.qrels import Judgements

if TYPE_CHECKING:
    from jaxtyping import Float, Int

DEPTH = 300  # the benchmark reads a ranking no further


def judged_places(
    judgements: Judgements, candidates: Sequence[Candidate]
) -> tuple[np.ndarray, np.ndarray]:
    """The judged functions of every query among the candidates.

    Returns:
      judged_QG: int32 indices of candidates; -1 where the function is no candidate, or for none.
      grade_QG: float64 grades of all that was judged, candidate or not; 0 for none.

    Example:
      >>> judged = Judgements(["sort"], [{"a": 3.0, "lost": 1.0}])
      >>> judged_places(judged, [Candidate("code", "a", "go")])[0]
      array([[ 0, -1]], dtype=int32)
    """
    index = {candidate.url: m for m, candidate in enumerate(candidates)}
    width = max(map(len, judgements.grades))
    judged_QG = np.full((len(judgements.queries), width), -1, np.int32)
    grade_QG = np.zeros(judged_QG.shape)
    for q, grades in enumerate(judgements.grades):
        judged_QG[q, : len(grades)] = [index.get(url, -1) for url in grades]
        grade_QG[q, : len(grades)] = list(grades.values())
    return judged_QG, grade_QG


def judged_ndcg(
    place_QG: Float[np.ndarray, "Q G"] | Int[np.ndarray, "Q G"],
    grade_QG: Float[np.ndarray, "Q G"],
) -> dict[str, np.ndarray]:
    """Scores every query that has a relevant function, within the judged ones and over all.

        DCG = Σ_g (2^grade_g − 1) / log₂(place_g + 1),  nDCG = DCG / the DCG of the best order

    `ndcg_all` takes the place among all candidates. `ndcg_judged` takes the place among the judged
    candidates alone, so that nobody is blamed for functions that no one looked at. Both count only
    functions in the first 300 places; the best order has every judged function, found or not.

    Args:
      place_QG: places among all candidates, from 1; 0 for a judged function that is no candidate.
      grade_QG: grades; 0 for none.

    Returns:
      "ndcg_judged", "ndcg_all": float64, one value for each query whose grades are not all 0.

    Raises:
      ValueError: no query has a relevant function.

    Example:
      >>> found = judged_ndcg(np.array([[2, 40]]), np.array([[1.0, 0.0]]))
      >>> found["ndcg_judged"], found["ndcg_all"] * np.log2(3)
      (array([1.]), array([1.]))

    Source: CodeSearchNet Challenge (Husain et al., 2019), its relevance evaluation.
    """
    relevant_Q = (grade_QG > 0).any(axis=1)
    if not relevant_Q.any():
        raise ValueError(f"{len(grade_QG)} queries have no function with a grade above 0")
    place_QG, gain_QG = place_QG[relevant_Q], 2.0 ** grade_QG[relevant_Q] - 1
    found_QG = (place_QG > 0) & (place_QG <= DEPTH)
    ideal_QG = -np.sort(-gain_QG, axis=1)
    ideal_Q = _dcg(ideal_QG, np.arange(1, ideal_QG.shape[1] + 1)[None])
    judged_QG = _among(np.where(found_QG, place_QG, np.inf))
    return {
        "ndcg_judged": _dcg(gain_QG * found_QG, judged_QG) / ideal_Q,
        "ndcg_all": _dcg(gain_QG * found_QG, np.maximum(place_QG, 1)) / ideal_Q,
    }


def _among(place_QG: np.ndarray) -> np.ndarray:
    """Places among the columns alone; equal ones share the mean of theirs."""
    other_QGG, own_QGG = place_QG[:, None, :], place_QG[:, :, None]
    before_QG = (other_QGG < own_QGG).sum(axis=-1)
    return before_QG + ((other_QGG == own_QGG).sum(axis=-1) + 1) / 2


def _dcg(gain_QG: np.ndarray, place_QG: np.ndarray) -> np.ndarray:
    return np.sum(gain_QG / np.log2(place_QG + 1), axis=1)
