"""A user's function as an estimator: texts in, two feature matrices out."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.errors import InputError
from softnce_jax.estimators.precomputed import Precomputed
from softnce_jax.registry import find_function, source_of

__all__ = ["function"]

ROWS_PER_BLOCK = 4096  # checked and written at a time


def function(name: str) -> Precomputed:
    """The estimator of `package.module:function`, imported here.

    Args:
      name: the module is looked for in the current folder first. The function takes the queries
        and the codes of all training pairs, two lists of n texts, and returns two float matrices,
        (n, F) each: similarity_ij = row i of the first · row j of the second.

    Returns:
      The estimator; its hash is of the source of the module and of where the function is from.

    Raises:
      InputError: no such module or function, the module fails, by its first line, or the function
        takes other arguments.
    """
    user_function, source = find_function(name, "--estimator"), source_of(name, "--estimator")
    try:
        inspect.signature(user_function).bind([], [])
    except TypeError as error:
        raise InputError(
            f"--estimator {name}: cannot be called as (queries, codes): {error}"
        ) from None
    except ValueError:  # functions of C extensions tell no signature
        pass

    def make(pairs: Sequence[Pair], _: Path) -> dict[str, Iterator[np.ndarray]]:
        queries, codes = [pair.query for pair in pairs], [pair.code for pair in pairs]
        a_RF, b_RF = _check(user_function(queries, codes), len(pairs), name)
        return {
            "a": _finite_blocks(a_RF, f"{name}: the first matrix"),
            "b": _finite_blocks(b_RF, f"{name}: the second matrix"),
        }

    source_hash = hashlib.sha256(source.encode()).hexdigest()
    return Precomputed(name, source_hash, ("queries", "codes"), make)


def _check(features: Any, rows: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The two matrices, if they are float matrices with a row per pair and equal widths."""
    try:
        a, b = features
    except (TypeError, ValueError):
        raise InputError(f"{name} returned no two matrices but {type(features).__name__}") from None
    a, b = np.asarray(a), np.asarray(b)
    for which, x in (("first", a), ("second", b)):
        if x.ndim != 2 or len(x) != rows or not x.shape[1]:
            raise InputError(
                f"{name}: the {which} matrix has shape {x.shape}; it must be ({rows}, F), a row "
                "for every pair"
            )
        if not np.issubdtype(x.dtype, np.floating):
            raise InputError(f"{name}: the {which} matrix holds {x.dtype}, not floats")
    if a.shape != b.shape:
        raise InputError(f"{name}: widths {a.shape[1]} and {b.shape[1]} differ: no product a bᵀ")
    return a, b


def _finite_blocks(matrix_RF: np.ndarray, title: str) -> Iterator[np.ndarray]:
    """The matrix as float32 in blocks of rows. Raises InputError at a row that is not finite."""
    for start in range(0, len(matrix_RF), ROWS_PER_BLOCK):
        with np.errstate(over="ignore"):  # the check below names the row
            block_RF = np.asarray(matrix_RF[start : start + ROWS_PER_BLOCK], np.float32)
        finite_R = np.isfinite(block_RF).all(axis=1)
        if not finite_R.all():
            row = start + int(np.argmin(finite_R))
            raise InputError(f"{title} is not finite in row {row} (as float32)")
        yield block_RF
