"""TREC qrels and run files, for ir_measures, trec_eval and ranx.

The formats separate fields by spaces, so ids (urls, for instance) are written percent-encoded;
different ids stay different. Those programs break ties of score by id; a run is therefore written
with strictly falling scores, and where scores tie, they read one of the places between the bounds
of `Ranks` instead of their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

_KEPT = "/:@!$&'()*+,;=?#[]~"


def measures(grade: int) -> dict[str, str]:
    """Our metrics under the names that ir_measures gives them.

    Args:
      grade: of the true code, which alone makes MRR and recall.

    Example:
      >>> measures(3)["recall@5"]
      'R(rel=3)@5'
    """
    recall = {f"recall@{k}": f"R(rel={grade})@{k}" for k in (1, 5, 10)}
    return {"mrr@1000": f"RR(rel={grade})@1000", **recall, "ndcg@10": "nDCG@10"}


def write_qrels(
    path: str | Path,
    query_ids: Sequence[str],
    candidate_ids: Sequence[str],
    relevant_QG: np.ndarray,
    grade_QG: np.ndarray,
) -> None:
    """Writes one line `query 0 candidate grade` per graded candidate.

    Args:
      path: the file.
      query_ids: Q ids, all different.
      candidate_ids: M ids, all different.
      relevant_QG: indices of candidates, -1 for none.
      grade_QG: their grades.

    Raises:
      ValueError: if ids repeat or are empty, or are not as many as the rows.
    """
    queries, candidates = _encoded(query_ids, "query"), _encoded(candidate_ids, "candidate")
    _check_rows(queries, relevant_QG)
    with open(path, "w", encoding="ascii") as file:
        for query, relevant_G, grade_G in zip(queries, relevant_QG, grade_QG, strict=True):
            file.writelines(
                f"{query} 0 {candidates[m]} {grade}\n"
                for m, grade in zip(relevant_G, grade_G, strict=True)
                if m >= 0
            )


def write_run(
    path: str | Path,
    query_ids: Sequence[str],
    candidate_ids: Sequence[str],
    index_QK: np.ndarray,
    score_QK: np.ndarray,
    *,
    name: str,
) -> None:
    """Writes one line `query Q0 candidate rank score name` per candidate found, best first.

    A score that does not fall in float32, in which trec_eval reads, is written as the next smaller
    float32 number.

    Args:
      path: the file.
      query_ids: Q ids, all different.
      candidate_ids: M ids, all different.
      index_QK: indices of candidates, best first.
      score_QK: their scores, none above the one before.
      name: of the system.

    Raises:
      ValueError: if ids repeat or are empty, are not as many as the rows, or scores rise.
    """
    queries, candidates = _encoded(query_ids, "query"), _encoded(candidate_ids, "candidate")
    _check_rows(queries, index_QK)
    if not (score_QK[:, 1:] <= score_QK[:, :-1]).all():
        raise ValueError(f"run {name!r} has scores that rise or are NaN: give them best first")
    (name,) = _encoded([name], "system")
    with open(path, "w", encoding="ascii") as file:
        for query, index_K, score_K in zip(queries, index_QK, falling(score_QK), strict=True):
            file.writelines(
                f"{query} Q0 {candidates[m]} {rank} {score:.9g} {name}\n"
                for rank, (m, score) in enumerate(zip(index_K, score_K, strict=True), start=1)
            )


def falling(score_QK: np.ndarray) -> np.ndarray:
    """The scores in float32, each lowered as little as makes it smaller than the one before.

    Example:
      >>> falling(np.array([[1.0, 1.0, 0.0]])).tolist()
      [[1.0, 0.9999999403953552, 0.0]]
    """
    score_QK = score_QK.astype(np.float32)
    for k in range(1, score_QK.shape[1]):
        below_Q = np.nextafter(score_QK[:, k - 1], np.float32(-np.inf))
        score_QK[:, k] = np.minimum(score_QK[:, k], below_Q)
    return score_QK


def _encoded(ids: Sequence[str], what: str) -> list[str]:
    encoded = [quote(name, safe=_KEPT) for name in ids]
    if not all(encoded):
        raise ValueError(f"{what} id {encoded.index('')} of {len(ids)} is empty: name it")
    if len(set(encoded)) < len(encoded):
        raise ValueError(f"{len(ids)} {what} ids have {len(set(encoded))} values: make them differ")
    return encoded


def _check_rows(queries: list[str], rows: np.ndarray) -> None:
    if len(queries) != len(rows):
        raise ValueError(f"{len(queries)} query ids for {len(rows)} rows: give one each")
