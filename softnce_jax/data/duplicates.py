"""Texts that several training pairs have, the functions of pairs, and who answers whose query."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from softnce_jax.data.corpus import Pair


class Shared(NamedTuple):
    """How many pairs have a text in common with another pair."""

    pairs: int
    query: int
    code: int


def shared_texts(pairs: Sequence[Pair]) -> Shared:
    """Counts the pairs whose query or code another pair has, too, character by character.

    Example:
      >>> texts = [("sort", "f"), ("sort", "g"), ("sum", "g"), ("find", "h")]
      >>> shared_texts([Pair(query, code, "url", "go") for query, code in texts])
      Shared(pairs=3, query=2, code=2)
    """
    queries, codes = Counter(p.query for p in pairs), Counter(p.code for p in pairs)
    query = [queries[p.query] > 1 for p in pairs]
    code = [codes[p.code] > 1 for p in pairs]
    return Shared(sum(map(max, query, code)), sum(query), sum(code))


class Functions(NamedTuple):
    """The M different functions of R pairs: those that differ in language or url.

    Attributes:
      pair_M: the first pair of each.
      of_R: the function of each pair.
    """

    pair_M: np.ndarray
    of_R: np.ndarray


def functions_of(pairs: Sequence[Pair]) -> Functions:
    """The functions in the order in which they are first met.

    Example:
      >>> functions_of([Pair("query", "code", url, "go") for url in "aba"]).of_R.tolist()
      [0, 1, 0]
    """
    numbers: dict[tuple[str, str], int] = {}
    of_R = np.array([numbers.setdefault((p.language, p.url), len(numbers)) for p in pairs], int)
    return Functions(np.unique(of_R, return_index=True)[1], of_R)


def answers(pairs: Sequence[Pair], functions: Functions) -> list[list[int]]:
    """The functions that are right for each pair's query: its own, and those of the same text.

    A function has the text of a pair if its code is the same, or one of its queries.

    Example:
      >>> texts = [("sort", "f", "a"), ("sort", "g", "b"), ("sum", "g", "c"), ("find", "h", "d")]
      >>> pairs = [Pair(*text, "go") for text in texts]
      >>> answers(pairs, functions_of(pairs))
      [[0, 1], [0, 1, 2], [1, 2], [3]]
    """
    asked: dict[str, set[int]] = {}
    written: dict[str, set[int]] = {}
    for pair, function in zip(pairs, functions.of_R.tolist(), strict=True):
        asked.setdefault(pair.query, set()).add(function)
        written.setdefault(pair.code, set()).add(function)
    return [sorted(asked[pair.query] | written[pair.code]) for pair in pairs]


def answer_keys(pairs: Sequence[Pair]) -> np.ndarray:
    """Keys of the queries that each pair's function answers.

    Returns:
      (R, P) int32, P the most queries of one function; where there are fewer the last again.

    Example:
      >>> pairs = [Pair(query, "code", url, "go") for query, url in ["sa", "tb", "ub"]]
      >>> answer_keys(pairs).shape
      (3, 2)
    """
    asked: dict[int, list[int]] = {}
    of_R = functions_of(pairs).of_R.tolist()
    for function, key in zip(of_R, text_keys([p.query for p in pairs]).tolist(), strict=True):
        asked.setdefault(function, []).append(key)
    width = max(map(len, asked.values()), default=1)
    full = {function: keys + keys[-1:] * (width - len(keys)) for function, keys in asked.items()}
    return np.array([full[function] for function in of_R], np.int32).reshape(len(pairs), width)


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """A 32-bit hash of each text, the same on every host and in every run.

    Two of a batch of 1,024 texts that differ have the same key in one batch of 8,000, and a row
    then lacks one negative.

    Example:
      >>> a, b, c = text_keys(["sort a list", "open a file", "sort a list"])
      >>> bool(a == c), bool(a == b)
      (True, False)
    """
    digests = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=4) for t in texts)
    return np.frombuffer(b"".join(d.digest() for d in digests), "<i4")
