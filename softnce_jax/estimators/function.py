"""A user's function as an estimator: texts in, two feature matrices out."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.errors import InputError, first_line
from softnce_jax.estimators.precomputed import Frozen

ROWS = 4096  # checked and written at a time


def function(name: str) -> Frozen:
    """The estimator of `package.module:function`, imported here.

    Args:
      name: the module is looked for in the current folder first. The function takes the queries
        and the codes of all training pairs, two lists of n texts, and returns two float matrices,
        (n, F) each: similarity_ij = row i of the first · row j of the second.

    Returns:
      The Frozen estimator, its hash of the source of the module and of where the function is from.

    Raises:
      InputError: no such module or function, or the module fails, by its first line.
    """
    called, source = find(name)

    def make(pairs: Sequence[Pair], _: Path) -> dict[str, Iterator[np.ndarray]]:
        queries, codes = [pair.query for pair in pairs], [pair.code for pair in pairs]
        a_RF, b_RF = checked(called(queries, codes), len(pairs), name)
        return {"a": blocks(a_RF, f"{name}: the first matrix"),
                "b": blocks(b_RF, f"{name}: the second matrix")}  # fmt: skip

    return Frozen(name, hashlib.sha256(source.encode()).hexdigest(), ("queries", "codes"), make)


def find(name: str) -> tuple[Callable[..., Any], str]:
    """The function and the source that its features depend on."""
    module_name, _, attribute = name.partition(":")
    sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module raises
        reason = first_line(error)
        raise InputError(
            f"--estimator {name}: {module_name} cannot be imported "
            f"({type(error).__name__}: {reason})"
        ) from error
    finally:
        sys.path.remove("")
    called = getattr(module, attribute, None)
    if not callable(called):
        raise InputError(f"--estimator {name}: {module_name} has no function {attribute}")
    try:
        sources = {inspect.getsource(m) for m in (module, inspect.getmodule(called) or module)}
    except (OSError, TypeError):
        raise InputError(f"--estimator {name}: its source cannot be read; use a .py file") from None
    return called, "\0".join([attribute, *sorted(sources)])


def checked(features: Any, rows: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The two matrices, if they are float matrices of as many rows and equal widths."""
    try:
        a, b = features
    except (TypeError, ValueError):
        raise InputError(f"{name} returned no two matrices but {type(features).__name__}") from None
    a, b = np.asarray(a), np.asarray(b)
    for place, x in (("first", a), ("second", b)):
        if x.ndim != 2 or len(x) != rows or not x.shape[1]:
            raise InputError(
                f"{name}: the {place} matrix has shape {x.shape}; it must be ({rows}, F), a row "
                "for every pair"
            )
        if not np.issubdtype(x.dtype, np.floating):
            raise InputError(f"{name}: the {place} matrix holds {x.dtype}, not floats")
    if a.shape != b.shape:
        raise InputError(f"{name}: widths {a.shape[1]} and {b.shape[1]} differ: no product a bᵀ")
    return a, b


def blocks(matrix_RF: np.ndarray, what: str) -> Iterator[np.ndarray]:
    """The matrix as float32, some rows at a time, if every number is finite."""
    for start in range(0, len(matrix_RF), ROWS):
        with np.errstate(over="ignore"):  # the check below says it better
            block_RF = np.asarray(matrix_RF[start : start + ROWS], np.float32)
        finite_R = np.isfinite(block_RF).all(axis=1)
        if not finite_R.all():
            row = start + int(np.argmin(finite_R))
            raise InputError(f"{what} is not finite in row {row} (as float32)")
        yield block_RF
