"""Relevance that people judged: CodeSearchNet's annotations, or any qrels with their queries."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np

from softnce_jax.errors import InputError

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
