"""Relevance grades that people gave: reading them, nDCG against them, and TREC's files.

Grades are read from CodeSearchNet's annotations or from any qrels; our own qrels and runs are
written in TREC's format, which ir_measures and trec_eval read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from softnce_jax.data.corpus import Candidate, RowErrors
from softnce_jax.data.rows import (
    UnusableRow,
    as_name,
    csv_rows,
    lines_of,
    name_of,
    read_rows,
    shown_names,
    text_of,
    utf8,
)
from softnce_jax.errors import InputError, check_texts
from softnce_jax.files import whole_file

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = [
    "NDCG_DEPTH",
    "Qrels",
    "graded_candidates",
    "graded_ndcg",
    "measures",
    "read_qrels",
    "write_qrels",
    "write_run",
]

NDCG_DEPTH = 300  # the benchmark does not read a ranking further
CSV_NAMES = {
    "language": ("language",),
    "query": ("query",),
    "url": ("githuburl", "url"),
    "grade": ("relevance", "grade"),
}
LARGEST_GRADE = 1000  # its gain, 2 to that power, is still a float
UNENCODED = "/:@!$&'()*+,;=?#[]~"  # in the ids of TREC's files, where a space ends a field


class Qrels(NamedTuple):
    """Queries and the grades of functions for each.

    Attributes:
      queries: Q texts.
      grades: for each query, url → grade, 0 for irrelevant.
    """

    queries: list[str]
    grades: list[dict[str, float]]


def read_qrels(path: Path, language: str, row_errors: RowErrors | None = None) -> Qrels:
    """Reads the grades for one language.

    A CSV has the columns `query`, `url` (or `GitHubUrl`), `relevance` (or `grade`) and perhaps
    `language`, in upper or lower case, as CodeSearchNet's annotationStore.csv. Other files are
    qrels, query, 0, url and grade (TREC) or without the 0, below a header (BEIR). Fields between
    tabs are taken as they are; between spaces they are percent-encoded, as `write_qrels` does. The
    queries' texts are in `queries.jsonl` (`_id`, `text`) beside the file or one folder up. Several
    grades of one query and url are averaged. Queries that differ in case only are one query.

    Args:
      path: the file.
      language: rows of another one are left out, where rows have a language.
      row_errors: takes the rows that cannot be used; by default the first of them is an error.

    Raises:
      InputError: by file and line, a row that cannot be used; no column or file of a name that is
        needed; no row.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; --judgements takes a CSV or qrels")
    row_errors = RowErrors(strict=True) if row_errors is None else row_errors
    rows = _csv_rows if path.suffix.lower() == ".csv" else _qrels_rows
    given: dict[str, dict[str, list[float]]] = {}
    first: dict[str, str] = {}
    for query, url, grade in rows(path, language, row_errors):
        key = query.lower()
        first.setdefault(key, query)
        given.setdefault(key, {}).setdefault(url, []).append(grade)
    if not given:
        skipped = "".join(f"; {line}" for line in row_errors.lines())
        raise InputError(f"{path}: no judgements for {language}{skipped}")
    grades = [{url: float(np.mean(g)) for url, g in urls.items()} for urls in given.values()]
    return Qrels([first[key] for key in given], grades)


def graded_candidates(
    qrels: Qrels, candidates: Sequence[Candidate]
) -> tuple[np.ndarray, np.ndarray]:
    """The graded functions of every query among the candidates.

    Returns:
      graded_QG: int32 indices of candidates; -1 where the function is no candidate, or for none.
      grade_QG: float64 grades of all graded functions, candidates or not; 0 for none.

    Example:
      >>> qrels = Qrels(["sort"], [{"a": 3.0, "absent": 1.0}])
      >>> graded_candidates(qrels, [Candidate("code", "a", "go")])[0]
      array([[ 0, -1]], dtype=int32)
    """
    index = {candidate.url: m for m, candidate in enumerate(candidates)}
    width = max(map(len, qrels.grades))
    graded_QG = np.full((len(qrels.queries), width), -1, np.int32)
    grade_QG = np.zeros(graded_QG.shape)
    for q, grades in enumerate(qrels.grades):
        graded_QG[q, : len(grades)] = [index.get(url, -1) for url in grades]
        grade_QG[q, : len(grades)] = list(grades.values())
    return graded_QG, grade_QG


def graded_ndcg(
    rank_QG: Float[np.ndarray, "Q G"] | Int[np.ndarray, "Q G"],
    grade_QG: Float[np.ndarray, "Q G"],
) -> dict[str, np.ndarray]:
    """Scores every query that has a relevant function, within the graded ones and over all.

        DCG = Σ_g (2^grade_g − 1) / log₂(rank_g + 1),  nDCG = DCG / the DCG of the ideal order

    `ndcg_all` takes the rank among all candidates. `ndcg_judged` takes the rank among the graded
    candidates alone, so that functions nobody graded cost nothing. Both count only functions with a
    rank up to 300; the ideal order has every graded function, candidate or not.

    Args:
      rank_QG: ranks among all candidates, from 1; 0 for a graded function that is no candidate.
      grade_QG: grades; 0 for none.

    Returns:
      "ndcg_judged", "ndcg_all": float64, one value for each query whose grades are not all 0.

    Raises:
      ValueError: no query has a relevant function.

    Example:
      >>> ndcg = graded_ndcg(np.array([[2, 40]]), np.array([[1.0, 0.0]]))
      >>> ndcg["ndcg_judged"], ndcg["ndcg_all"] * np.log2(3)
      (array([1.]), array([1.]))

    Source: CodeSearchNet Challenge (Husain et al., 2019), its relevance evaluation.
    """
    relevant_Q = (grade_QG > 0).any(axis=1)
    if not relevant_Q.any():
        raise ValueError(f"{len(grade_QG)} queries have no function with a grade above 0")
    rank_QG, gain_QG = rank_QG[relevant_Q], 2.0 ** grade_QG[relevant_Q] - 1
    counted_QG = (rank_QG > 0) & (rank_QG <= NDCG_DEPTH)
    ideal_QG = -np.sort(-gain_QG, axis=1)
    ideal_Q = _dcg(ideal_QG, np.arange(1, ideal_QG.shape[1] + 1)[None])
    # Functions beyond the depth rank after all others, and their gain is dropped below.
    graded_rank_QG = _rank_among_columns(np.where(counted_QG, rank_QG, np.inf))
    return {
        "ndcg_judged": _dcg(gain_QG * counted_QG, graded_rank_QG) / ideal_Q,
        "ndcg_all": _dcg(gain_QG * counted_QG, np.maximum(rank_QG, 1)) / ideal_Q,
    }


def measures(grade: int) -> dict[str, str]:
    """Our metrics under the names that ir_measures gives them.

    Args:
      grade: of the true code; MRR and recall are of it alone.

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
    queries, candidates = _encode(query_ids, "query"), _encode(candidate_ids, "candidate")
    _check_rows(queries, relevant_QG)
    with whole_file(path, "w", encoding="ascii") as file:
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
    """Writes one line `query Q0 candidate rank score name` per ranked candidate, best first.

    trec_eval reads scores as float32 and sorts by them again. So that it keeps our order, a score
    that is not below the one before, in float32, is written as the next smaller number.

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
    queries, candidates = _encode(query_ids, "query"), _encode(candidate_ids, "candidate")
    _check_rows(queries, index_QK)
    if not (score_QK[:, 1:] <= score_QK[:, :-1]).all():
        raise ValueError(f"run {name!r} has scores that rise or are NaN: give them best first")
    (name,) = _encode([name], "system")
    with whole_file(path, "w", encoding="ascii") as file:
        rows = zip(queries, index_QK, _strictly_falling(score_QK), strict=True)
        for query, index_K, score_K in rows:
            file.writelines(
                f"{query} Q0 {candidates[m]} {rank} {score:.9g} {name}\n"
                for rank, (m, score) in enumerate(zip(index_K, score_K, strict=True), start=1)
            )


Judgement = tuple[str, str, float]  # a query's text, a url, a grade


def _csv_rows(path: Path, language: str, row_errors: RowErrors) -> Iterator[Judgement]:
    """The judgements of a CSV file."""
    for location, row in csv_rows(path, row_errors):
        row = {name.lower(): value for name, value in row.items()}
        for field in ("query", "url", "grade"):
            if not row.keys() & {*CSV_NAMES[field]}:
                wanted = " or ".join(CSV_NAMES[field])
                raise InputError(f"{path}: no column {wanted} among {shown_names(row)}")
        try:
            if (name_of(row, "language") or language).lower() == language:
                texts = text_of(row, ("query",)), name_of(row, *CSV_NAMES["url"])
                yield _judgement(*texts, name_of(row, *CSV_NAMES["grade"]))
        except UnusableRow as error:
            row_errors.add(f"{error}", location)


def _qrels_rows(path: Path, _: str, row_errors: RowErrors) -> Iterator[Judgement]:
    """The judgements of a qrels file."""
    texts = _query_texts(path, row_errors)
    for number, (location, line) in enumerate(lines_of(path, row_errors)):
        try:
            fields = _qrels_fields(utf8(line))
            if not fields or (number == 0 and fields[0] == "query-id"):
                continue
            if len(fields) not in (3, 4):
                raise UnusableRow(f"{len(fields)} fields: give query, 0, url, grade")
            query = as_name(fields[0], "query")
            if query not in texts:
                raise UnusableRow(f"no text for query {query[:80]!r} in queries.jsonl")
            yield _judgement(texts[query], as_name(fields[-2], "url"), fields[-1])
        except UnusableRow as error:
            row_errors.add(f"{error}", location)


def _qrels_fields(line: str) -> list[str]:
    """The fields of a line. Between tabs there may be spaces; elsewhere %20 stands for one."""
    fields = line.rstrip("\r\n").split("\t")
    if len(fields) in (3, 4):
        return fields
    return [unquote(field) for field in re.split(r"[ \t]+", line.strip(" \t\r\n")) if field]


def _query_texts(path: Path, row_errors: RowErrors) -> dict[str, str]:
    """The texts of a qrels file's queries, by their ids."""
    for folder in (path.parent, path.parent.parent):
        queries = folder / "queries.jsonl"
        if queries.is_file():
            break
    else:
        raise InputError(
            f"{path}: qrels name queries only: put their texts into {path.parent}/queries.jsonl, "
            'a line each, {"_id": ..., "text": ...}'
        )
    texts = {}
    for location, row in read_rows(queries, row_errors):
        try:
            name, text = name_of(row, "_id"), text_of(row, ("text",))
            if not name or not text:
                raise UnusableRow("not an _id and a text")
            texts[name] = text
        except UnusableRow as error:
            row_errors.add(f"{error}", location)
    return texts


def _judgement(query: str | None, url: str | None, grade: str | None) -> Judgement:
    """What a row says. Raises UnusableRow where a field is absent or the grade no number."""
    for name, value in (("query", query), ("url", url), ("grade", grade)):
        if not value:
            raise UnusableRow(f"no {name}")
    try:
        number = math.nan if "_" in grade else float(grade)  # Python's 1_0 is no number elsewhere
    except ValueError:
        number = math.nan
    if not 0 <= number <= LARGEST_GRADE:
        raise UnusableRow(f"the grade {grade[:40]!r} is no number from 0 to {LARGEST_GRADE:,}")
    return query, url, number


def _rank_among_columns(rank_QG: np.ndarray) -> np.ndarray:
    """Ranks among the columns alone; equal ones share the mean of theirs."""
    other_QGG, this_QGG = rank_QG[:, None, :], rank_QG[:, :, None]
    before_QG = (other_QGG < this_QGG).sum(axis=-1)
    return before_QG + ((other_QGG == this_QGG).sum(axis=-1) + 1) / 2


def _dcg(gain_QG: np.ndarray, rank_QG: np.ndarray) -> np.ndarray:
    return np.sum(gain_QG / np.log2(rank_QG + 1), axis=1)


def _strictly_falling(score_QK: np.ndarray) -> np.ndarray:
    """The scores in float32, each lowered as little as makes it smaller than the one before.

    Example:
      >>> _strictly_falling(np.array([[1.0, 1.0, 0.0]])).tolist()
      [[1.0, 0.9999999403953552, 0.0]]
    """
    score_QK = score_QK.astype(np.float32)
    for k in range(1, score_QK.shape[1]):
        below_Q = np.nextafter(score_QK[:, k - 1], np.float32(-np.inf))
        score_QK[:, k] = np.minimum(score_QK[:, k], below_Q)
    return score_QK


def _encode(ids: Sequence[str], kind: str) -> list[str]:
    """Ids without spaces. Raises ValueError where they are empty or repeat."""
    check_texts(ids, f"{kind}_ids")
    encoded = [quote(name, safe=UNENCODED) for name in ids]
    if not all(encoded):
        raise ValueError(f"{kind} id {encoded.index('')} of {len(ids)} is empty: name it")
    if len(set(encoded)) < len(encoded):
        raise ValueError(f"{len(ids)} {kind} ids have {len(set(encoded))} values: make them differ")
    return encoded


def _check_rows(queries: list[str], rows: np.ndarray) -> None:
    if len(queries) != len(rows):
        raise ValueError(f"{len(queries)} query ids for {len(rows)} rows: give one each")
