"""Texts that stand in a batch more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from softnce_jax.losses.checks import check_own_columns, check_pairs
from softnce_jax.losses.rows import over_rows

if TYPE_CHECKING:
    from jax import Array
    from jaxtyping import Bool, Int


def without_duplicates(
    query_keys: Int[Array, " B"],
    code_keys: Int[Array, " n"],
    *,
    answers: Int[Array, "n P"] | None = None,
    positive: Int[Array, " B"] | None = None,
    axis_name: str | tuple[str, ...] | None = None,
) -> Bool[Array, "B N"]:
    """The `where` of a loss that leaves out candidates which answer the row's query, too.

    A candidate is no negative of a row if it is the same code as the row's own candidate, or the
    own candidate of a row with the same query, or known to answer that query.

    Args:
      query_keys: an integer for each query, (B,), equal iff the texts are, a hash for instance.
      code_keys: one for each candidate, (N,); under `axis_name` this device's share of them.
      answers: keys of the queries that each candidate answers, (N, P), one of them again where
        they are fewer: what tells that an explicit hard negative, no row's own candidate, answers
        a row's query. Under `axis_name` this device's share.
      positive: column of each row's own candidate, (B,) integers; by default as in `soft_infonce`.
      axis_name: the mapped axis over which candidates are gathered; see `soft_infonce`.

    Returns:
      (B, N) booleans, True at the row's own candidate; under `axis_name` local rows, global
      columns.

    Raises:
      ValueError: shapes disagree, or there is no negative at all.
      TypeError: the keys or `positive` hold no integers.

    Example:
      Queries 0 and 2 are the same text, codes 1 and 2 are.

      >>> import jax.numpy as jnp
      >>> where = without_duplicates(jnp.array([7, 8, 7]), jnp.array([3, 4, 4]))
      >>> print(where.astype(int))
      [[1 1 0]
       [1 1 0]
       [0 0 1]]

    Source: ours; the paper's code keeps duplicates as negatives.
    """
    check_keys(query_keys, code_keys)
    if answers is not None and (answers.ndim != 2 or len(answers) != len(code_keys)):
        raise ValueError(f"answers has shape {answers.shape}; give ({len(code_keys)}, P)")
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * len(code_keys)
    if positive is None:
        check_own_columns(len(query_keys), len(code_keys))
        positive = jnp.arange(len(query_keys), dtype=jnp.int32) + first
    everyone = query_keys, positive
    if axis_name is not None:
        gathered = jax.lax.all_gather((code_keys, answers, *everyone), axis_name, tiled=True)
        code_keys, answers, *everyone = gathered
    check_pairs((len(query_keys), len(code_keys)), positive=positive)
    return over_rows(distinct_rows, query_keys, positive, code_keys, *everyone, answers)


def distinct_rows(query_B, positive_B, code_N, every_query_B, every_positive_B, answer_NP):
    """False where code or query is that of the row; True at the row's own column."""
    own_BN = jnp.arange(code_N.shape[0])[None, :] == positive_B[:, None]
    same_code_BN = code_N[None, :] == jnp.take(code_N, positive_B, mode="clip")[:, None]
    asked_BB = query_B[:, None] == every_query_B[None, :]
    same_query_BN = jnp.zeros_like(own_BN).at[:, every_positive_B].max(asked_BB)
    if answer_NP is not None:
        same_query_BN |= jnp.any(query_B[:, None, None] == answer_NP[None], axis=2)
    return own_BN | ~(same_code_BN | same_query_BN)


def check_keys(query_keys, code_keys) -> None:
    """Raises unless both are vectors of integers."""
    for name, keys in {"query_keys": query_keys, "code_keys": code_keys}.items():
        if keys.ndim != 1:
            raise ValueError(f"{name} has shape {keys.shape}; give one integer a text")
        if not jnp.issubdtype(keys.dtype, jnp.integer):
            raise TypeError(f"{name} holds {keys.dtype}; give one integer a text")
