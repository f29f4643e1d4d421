"""Queries without their code: the different ones, and which of them ask for the same function."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from softnce_jax.data.corpus import Pair


def different_queries(pairs: Sequence[Pair]) -> list[Pair]:
    """The first pair of every query; case and white space make no other query.

    Example:
      >>> pairs = [Pair(q, "code", "url", "go") for q in ("Sort a list", "sort a  list", "sum")]
      >>> [pair.query for pair in different_queries(pairs)]
      ['Sort a list', 'sum']
    """
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(same_query(pair.query), pair)
    return list(first.values())


def paraphrases(pairs: Sequence[Pair], queries: Sequence[Pair]) -> list[tuple[int, int]]:
    """The queries that have a function in common, as pairs of places in `queries`.

    Args:
      pairs: a split; several of its pairs may have one function, that is one language and url.
      queries: its `different_queries`.

    Returns:
      Pairs of different places, each once, sorted.

    Example:
      >>> asked = [("sort", "a"), ("sum", "b"), ("order", "a")]
      >>> pairs = [Pair(query, "code", url, "go") for query, url in asked]
      >>> paraphrases(pairs, different_queries(pairs))
      [(0, 2)]
    """
    places = {same_query(pair.query): place for place, pair in enumerate(queries)}
    functions: dict[tuple[str, str], set[int]] = {}
    for pair in pairs:
        asking = functions.setdefault((pair.language, pair.url), set())
        asking.add(places[same_query(pair.query)])
    found = (itertools.combinations(sorted(asking), 2) for asking in functions.values())
    return sorted(set(itertools.chain.from_iterable(found)))


def same_query(text: str) -> str:
    """What is equal where two queries differ in case and white space only."""
    return " ".join(text.casefold().split())
