"""Relevance that people judged: CodeSearchNet's annotations, or any qrels with their queries."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from softnce_jax.data.corpus import Candidate
from softnce_jax.errors import InputError

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CSV_NAMES = {
    "language": ("language",),
    "query": ("query",),
    "url": ("githuburl", "url"),
    "grade": ("relevance", "grade"),
}


class Judgements(NamedTuple):
    """Queries and what was judged for each.

    Attributes:
      queries: Q texts.
      grades: for each query, url → grade, 0 for irrelevant.
    """

    queries: list[str]
    grades: list[dict[str, float]]


def read_judgements(path: Path, language: str) -> Judgements:
    """Reads one language's judgements.

    A CSV has the columns `query`, `url` (or `GitHubUrl`), `relevance` (or `grade`) and perhaps
    `language`, in any case of letters, as CodeSearchNet's annotationStore.csv. Other files are
    qrels: TREC's four fields (query, 0, url, grade; percent-encoded where they have spaces) or
    BEIR's three with a header; their queries' texts stand in `queries.jsonl` (`_id`, `text`) beside
    the file or one folder up. Several grades of one query and url are averaged; queries differ in
    more than case.

    Args:
      path: the file.
      language: rows of another one are left out, where rows have a language.

    Raises:
      InputError: by file and line, a row that cannot be read; a query without text; no row.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; --judgements takes a CSV or qrels")
    rows = _csv_rows(path, language) if path.suffix == ".csv" else _qrels_rows(path)
    given: dict[str, dict[str, list[float]]] = {}
    first: dict[str, str] = {}
    for query, url, grade in rows:
        key = query.lower()
        first.setdefault(key, query)
        given.setdefault(key, {}).setdefault(url, []).append(grade)
    if not given:
        raise InputError(f"{path}: no judgements for {language}")
    grades = [{url: float(np.mean(g)) for url, g in urls.items()} for urls in given.values()]
    return Judgements([first[key] for key in given], grades)


def _csv_rows(path: Path, language: str) -> Iterator[tuple[str, str, float]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        header = [name.strip().lower() for name in next(rows, [])]
        places = {
            what: next((header.index(name) for name in names if name in header), None)
            for what, names in CSV_NAMES.items()
        }
        for what in ("query", "url", "grade"):
            if places[what] is None:
                wanted = " or ".join(CSV_NAMES[what])
                raise InputError(f"{path}: no column {wanted} among {', '.join(header)}")
        for row in rows:
            place = f"{path}:{rows.line_num}"
            if len(row) != len(header):
                raise InputError(f"{place}: {len(row)} fields, the first line has {len(header)}")
            if places["language"] is None or row[places["language"]].strip().lower() == language:
                grade = _grade(row[places["grade"]], place)
                yield row[places["query"]].strip(), row[places["url"]].strip(), grade


def _qrels_rows(path: Path) -> Iterator[tuple[str, str, float]]:
    texts = _query_texts(path)
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        fields = line.split()
        if not fields or (number == 1 and fields[0] == "query-id"):
            continue
        place = f"{path}:{number}"
        if len(fields) not in (3, 4):
            raise InputError(f"{place}: {len(fields)} fields: give query, 0, url, grade")
        query = unquote(fields[0])
        if query not in texts:
            raise InputError(f"{place}: no text for query {query!r} in queries.jsonl")
        yield texts[query], unquote(fields[-2]), _grade(fields[-1], place)


def _query_texts(path: Path) -> dict[str, str]:
    for folder in (path.parent, path.parent.parent):
        if (folder / "queries.jsonl").is_file():
            lines = (folder / "queries.jsonl").read_text("utf-8").splitlines()
            rows = [json.loads(line) for line in lines if line.strip()]
            return {str(row["_id"]): row["text"] for row in rows}
    raise InputError(
        f"{path}: qrels name queries only: put their texts into {path.parent}/queries.jsonl, "
        'a line each, {"_id": ..., "text": ...}'
    )


def _grade(text: str, place: str) -> float:
    try:
        grade = float(text)
    except ValueError:
        grade = math.nan
    if not 0 <= grade < math.inf:
        raise InputError(f"{place}: the grade {text!r} is no number from 0 up")
    return grade


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
