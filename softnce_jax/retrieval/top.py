"""The candidates with the highest scores, for run files and for search."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from softnce_jax.retrieval.blocks import block_shape, padded, pair_dots, scores
from softnce_jax.retrieval.ranking import check_vectors, finite_rows

if TYPE_CHECKING:
    from jaxtyping import Float


def top_candidates(
    q_QD: Float[np.ndarray, "Q D"], c_MD: Float[np.ndarray, "M D"], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k candidates with the highest dot products, best first; equal scores by index.

    The device picks them in float32, block by block; they are ordered by their float64 scores.

    Args:
      q_QD: query vectors.
      c_MD: candidate vectors.
      k: how many, K; all M of them if there are fewer.

    Returns:
      index_QK: int64 indices of candidates.
      score_QK: float64 dot products, falling.

    Raises:
      ValueError: if the shapes do not agree, k < 1 or a vector is not finite.

    Example:
      >>> index, score = top_candidates(np.array([[1.0, 2.0]]), np.eye(2), 1)
      >>> index.tolist(), score.tolist()
      ([[1]], [[2.0]])
    """
    q_QD, c_MD = _finite(q_QD, "query"), _finite(c_MD, "candidate")
    check_vectors(q_QD, c_MD)
    if k < 1:
        raise ValueError(f"k is {k}: ask for at least 1 candidate")
    width = block_shape(len(c_MD)).candidates
    found = [_top_of_block(q_QD, c_MD, start, k) for start in range(0, len(c_MD), width)]
    index_QK = np.sort(np.concatenate(found, axis=1), axis=1)
    query_P = np.repeat(np.arange(len(q_QD)), index_QK.shape[1])
    score_QK = pair_dots(q_QD, c_MD, query_P, index_QK.ravel()).reshape(index_QK.shape)
    order_QK = np.argsort(-score_QK, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(index_QK, order_QK, 1), np.take_along_axis(score_QK, order_QK, 1)


def top_scores(score_RM: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k highest scores of each row, best first; equal scores by index.

    Example:
      >>> index, score = top_scores(np.array([[1.0, 3.0, 3.0]]), 2)
      >>> index.tolist(), score.tolist()
      ([[1, 2]], [[3.0, 3.0]])
    """
    k = min(k, score_RM.shape[1])
    index_RK = np.array([_top_of_row(score_M, k) for score_M in score_RM], int).reshape(-1, k)
    score_RK = np.take_along_axis(score_RM, index_RK, 1)
    order_RK = np.argsort(-score_RK, axis=1, kind="stable")
    return np.take_along_axis(index_RK, order_RK, 1), np.take_along_axis(score_RK, order_RK, 1)


def _top_of_row(score_M: np.ndarray, k: int) -> np.ndarray:
    """The indices of the k highest scores, of equal ones the first, in rising order; no sort."""
    least = np.partition(score_M, len(score_M) - k)[len(score_M) - k]
    above = np.flatnonzero(score_M > least)
    return np.sort(np.append(above, np.flatnonzero(score_M == least)[: k - len(above)]))


def _top_of_block(q_QD, c_MD, start: int, k: int) -> np.ndarray:
    """(Q, k) indices of the best candidates of the block that begins at `start`."""
    rows, columns = block_shape(len(c_MD))
    block = c_MD[start : start + columns]
    c_BD = jax.device_put(padded(block, columns))
    where_B = np.arange(columns) < len(block)
    best = [
        _top(padded(q_QD[row : row + rows], rows), c_BD, where_B, k=min(k, len(block)))
        for row in range(0, max(len(q_QD), 1), rows)
    ]
    return start + np.concatenate(best)[: len(q_QD)].astype(np.int64)


@functools.partial(jax.jit, static_argnames="k")
def _top(q_BD, c_MD, where_M, *, k: int) -> jax.Array:
    return jax.lax.top_k(jnp.where(where_M[None], scores(q_BD, c_MD), -jnp.inf), k)[1]


def _finite(x_RD: np.ndarray, what: str) -> np.ndarray:
    x_RD, finite_R = finite_rows(x_RD)
    if not finite_R.all():
        raise ValueError(
            f"{np.sum(~finite_R)} of {len(x_RD)} {what} vectors are not finite, the first is row "
            f"{np.argmin(finite_R)}: no ranking exists"
        )
    return x_RD
