"""Different queries, and which of them share a function."""

from __future__ import annotations

from softnce_jax.data.corpus import LANGUAGES, Pair, different_queries, paraphrases
from softnce_jax.data.sample import load_sample


def pairs_of(*rows):
    return [Pair(query, "code", url, language) for query, url, language in rows]


def test_the_first_of_each_query_is_kept_in_order():
    pairs = pairs_of(
        ("sum", "a", "go"), ("Sort\ta list", "b", "go"), ("sort a list ", "c", "java"),
        ("sort a list!", "d", "go"), ("SUM", "e", "go"),
    )  # fmt: skip
    assert different_queries(pairs) == [pairs[0], pairs[1], pairs[3]]
    assert different_queries([]) == []


def test_paraphrases_share_language_and_url():
    pairs = pairs_of(
        ("one", "a", "go"), ("two", "b", "go"), ("three", "a", "go"), ("Two", "a", "java"),
        ("four", "a", "java"), ("ONE", "a", "go"), ("five", "a", "go"),
    )  # fmt: skip
    queries = different_queries(pairs)
    assert [pair.query for pair in queries] == ["one", "two", "three", "four", "five"]
    assert paraphrases(pairs, queries) == [(0, 2), (0, 4), (1, 3), (2, 4)]


def test_the_sample_asks_everything_twice_in_every_language():
    pairs = [pair for language in LANGUAGES for pair in load_sample(language).valid]
    queries = different_queries(pairs)
    assert (len(pairs), len(queries)) == (96, 16)
    assert paraphrases(pairs, queries) == [(n, n + 1) for n in range(0, 16, 2)]
