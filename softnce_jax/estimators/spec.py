"""`--estimator` parsed: a weighted sum of similarities, which is again one similarity a bᵀ."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from softnce_jax.errors import InputError
from softnce_jax.registry import ESTIMATORS, FUNCTION

__all__ = ["Term", "parse", "weighted_sum"]

NUMBER = r"\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
TERM = re.compile(rf"\s*(?:(?P<weight>{NUMBER})\s*\*\s*)?(?P<name>[^\s*+]*)\s*")


class Term(NamedTuple):
    """A term of a sum: its weight, and a key of ESTIMATORS or `package.module:function`."""

    weight: float
    name: str


def parse(text: str) -> list[Term]:
    """The terms of a sum of estimators.

    Args:
      text: one estimator, or several joined by +, each with or without `weight *` before it.

    Returns:
      At least one Term.

    Raises:
      InputError: the part that is wrong, its character counted from 1, and the known estimators.

    Example:
      >>> parse("0.5*bm25+sentence")
      [Term(weight=0.5, name='bm25'), Term(weight=1.0, name='sentence')]
      >>> parse("bm25+sentense")
      Traceback (most recent call last):
      ...
      softnce_jax.errors.InputError: --estimator bm25+sentense: 'sentense' at character 6 is no ...
    """
    terms, start = [], 0
    while True:
        match = TERM.match(text, start)
        weight, name = float(match["weight"] or 1), match["name"]
        if name not in ESTIMATORS and not FUNCTION.fullmatch(name):
            raise _error(text, match.start("name"), name, "is no estimator")
        if not 0 < weight < math.inf:
            raise _error(text, match.start("weight"), match["weight"], "is no weight above 0")
        terms.append(Term(weight, name))
        if match.end() == len(text):
            return terms
        if text[match.end()] != "+":
            raise _error(text, match.end(), text[match.end() :], "stands where + is expected")
        start = match.end() + 1


def _error(text: str, at: int, part: str, problem: str) -> InputError:
    return InputError(
        f"--estimator {text}: {part!r} at character {at + 1} {problem}; known: "
        f"{', '.join(ESTIMATORS)}, package.module:function, and sums such as 0.5*bm25+2*sentence"
    )


def weighted_sum(
    terms: Sequence[Term], features: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Features whose product is Σ weight a bᵀ: concatenated, with the weights in a.

    Args:
      terms: one or more.
      features: (a, b) of each term, (B, F) and (N, F); terms may differ in F.

    Returns:
      (a, b): (B, ΣF) and (N, ΣF) float32.

    Example:
      >>> one = np.ones((2, 3), np.float32)
      >>> a, b = weighted_sum(parse("bm25 + 2 * sentence"), [(one, one), (one, one)])
      >>> (a @ b.T).tolist()
      [[9.0, 9.0], [9.0, 9.0]]
    """
    a_BF = [np.float32(term.weight) * a for term, (a, _) in zip(terms, features, strict=True)]
    return np.concatenate(a_BF, axis=1), np.concatenate([b for _, b in features], axis=1)
