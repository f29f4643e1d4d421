"""Exact ranks and the best candidates, without the (Q, M) score matrix ever existing.

A device multiplies a block of queries with the candidates in float32 and counts which scores are
certainly above the true code's. The few within rounding distance of it are computed again in
float64, pair by pair. So the ranks are those of the exact dot products, and they are the same for
any block, any number of devices and any order of the queries and candidates. (Where an encoder has
collapsed and all scores are that near, all are computed twice: still exact, but slow.)
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from softnce_jax.mesh import AXIS, make_mesh
from softnce_jax.retrieval.blocks import (
    block_shape,
    count_blocks,
    norms,
    pad_rows,
    pair_dots,
    scores,
)
from softnce_jax.retrieval.metrics import Ranks, compare, rank_bounds

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from softnce_jax.data.corpus import Candidate, Pair

__all__ = [
    "TIE",
    "rank",
    "relevance",
    "score_ranks",
    "top_candidates",
    "top_scores",
    "vector_ranks",
]

TIE = 1e-6  # of |q|·|c|: two embeddings of one text, made in two batches, differ by less
TRUE_CODE_GRADE, FAMILY_GRADE = 3, 1

_rank_bounds = jax.jit(rank_bounds)


def relevance(
    pairs: Sequence[Pair], candidates: Sequence[Candidate]
) -> tuple[np.ndarray, np.ndarray]:
    """Which candidates answer which query, and how well.

    The candidate with the query's url is its true code. Where candidates have families (one
    function written in several ways), the true code has grade 3 and the rest of its family grade 1;
    else the true code has grade 1.

    Args:
      pairs: Q pairs of query and code.
      candidates: M candidates with distinct urls.

    Returns:
      relevant_QG: int32 indices of candidates: the true code, then its family by url; -1 for none.
      grade_QG: int32 grades; 0 for none.

    Raises:
      ValueError: if two candidates share a url, or a pair's url is no candidate's.
    """
    index = {candidate.url: m for m, candidate in enumerate(candidates)}
    if len(index) < len(candidates):
        raise ValueError(
            f"{len(candidates)} candidates have {len(index)} urls: keep one candidate per url"
        )
    families: dict[str, list[int]] = {}
    for url in sorted(index):
        family = candidates[index[url]].family
        if family is not None:
            families.setdefault(family, []).append(index[url])
    rows = []
    for pair in pairs:
        if pair.url not in index:
            raise ValueError(
                f"no candidate has the url {pair.url!r}: drop the pair or add its code"
            )
        true = index[pair.url]
        rows.append([true, *(m for m in families.get(candidates[true].family, []) if m != true)])
    width = max(map(len, rows), default=1)
    relevant_QG = np.full((len(rows), width), -1, np.int32)
    for q, row in enumerate(rows):
        relevant_QG[q, : len(row)] = row
    grade_QG = np.where(relevant_QG >= 0, FAMILY_GRADE, 0).astype(np.int32)
    grade_QG[:, 0] = TRUE_CODE_GRADE if families else 1
    return relevant_QG, grade_QG


def rank(
    q_QD: Float[np.ndarray, "Q D"],
    c_MD: Float[np.ndarray, "M D"],
    positive_Q: Int[np.ndarray, " Q"] | None = None,
) -> Float[np.ndarray, " Q"]:
    """The rank of every query's positive among all candidates by dot product, on one device.

    Args:
      q_QD: query vectors.
      c_MD: candidate vectors.
      positive_Q: the index of each query's positive; by default that of the query.

    Returns:
      Float64 ranks (Q,), counted from 1; the mean of the best and the worst where scores tie.

    Raises:
      ValueError: as `vector_ranks`.

    Example:
      >>> c = np.eye(3, dtype=np.float32)
      >>> rank(np.array([[0.2, 0.5, 0.9], [0.0, 0.0, 1.0]], np.float32), c)
      array([3. , 2.5])
    """
    if positive_Q is None:
        positive_Q = np.arange(len(q_QD))
    index_Q1 = np.asarray(positive_Q, np.int32)[:, None]
    ranks = vector_ranks(np.asarray(q_QD), np.asarray(c_MD), index_Q1, np.ones_like(index_Q1))
    return (ranks.best_QG[:, 0] + ranks.worst_QG[:, 0]) / 2


def vector_ranks(
    q_QD: Float[np.ndarray, "Q D"],
    c_MD: Float[np.ndarray, "M D"],
    relevant_QG: Int[np.ndarray, "Q G"],
    grade_QG: Int[np.ndarray, "Q G"],
    *,
    mesh: Mesh | None = None,
    row_block: int | None = None,
) -> Ranks:
    """Ranks of the graded candidates by dot product; scores within 1e-6·|q|·|c| of theirs tie.

    A vector that is not finite has no score. Such a candidate counts as above every true code;
    such a query or true code gets the last rank.

    Args:
      q_QD: query vectors.
      c_MD: candidate vectors.
      relevant_QG: indices of candidates, -1 for none; column 0 is the true code.
      grade_QG: their grades.
      mesh: devices to split the queries over, on its axis `data`; default: one device.
      row_block: queries per device and step; default: from M alone. Changes memory, not ranks.

    Returns:
      Ranks of shape (Q, G).

    Raises:
      ValueError: if the shapes do not agree, an index is outside the candidates, or the mesh has
        no axis `data`.

    Example:
      >>> c, one = np.eye(3, dtype=np.float32), np.ones((1, 1), np.int32)
      >>> vector_ranks(np.array([[0.2, 0.5, 0.9]], np.float32), c, one, one).best_QG
      array([[2]], dtype=int32)

    Source: the paper's experiments rank the true code among all candidates.
    """
    mesh = make_mesh(jax.local_devices()[:1]) if mesh is None else mesh
    if AXIS not in mesh.shape:
        raise ValueError(f"the mesh has axes {tuple(mesh.shape)}: name one {AXIS!r}")
    q_QD, finite_Q = _zero_nonfinite(q_QD)
    c_MD, finite_M = _zero_nonfinite(c_MD)
    _check_vectors(q_QD, c_MD)
    _check_relevance(relevant_QG, grade_QG, queries=len(q_QD), candidates=len(c_MD))

    norm_Q, norm_M = norms(q_QD), norms(c_MD)
    tolerance_QG = TIE * (norm_Q[:, None] * norm_M[relevant_QG])
    true_QG = _true_scores(q_QD, c_MD, relevant_QG)
    above_QG = np.full(relevant_QG.shape, np.sum(~finite_M))  # without a score: above all
    tied_QG = np.zeros(relevant_QG.shape, int)
    for rows, counted_RG, undecided in count_blocks(
        q_QD,
        c_MD,
        relevant_QG=relevant_QG,
        true_QG=true_QG,
        tolerance_QG=tolerance_QG,
        norm_Q=norm_Q,
        norm_M=norm_M,
        where_M=finite_M,
        mesh=mesh,
        row_block=row_block,
    ):
        above_QG[rows] += counted_RG
        score_P = pair_dots(q_QD, c_MD, undecided.query_P, undecided.candidate_P)
        at_P = (undecided.query_P, undecided.graded_P)
        above_P, below_P = compare(score_P, true_QG[at_P], tolerance_QG[at_P])
        np.add.at(above_QG, at_P, above_P)
        np.add.at(tied_QG, at_P, ~above_P & ~below_P)

    # A query or true code without a score loses to every candidate.
    lost_QG = ~finite_Q[:, None] | ~finite_M[relevant_QG]
    best_QG = np.where(lost_QG, len(c_MD), 1 + above_QG)
    worst_QG = np.where(lost_QG, len(c_MD), 1 + above_QG + tied_QG)
    return _ranks(best_QG, worst_QG, relevant_QG, grade_QG)


def score_ranks(
    blocks: Iterable[Float[np.ndarray, "R M"]],
    relevant_QG: Int[np.ndarray, "Q G"],
    grade_QG: Int[np.ndarray, "Q G"],
) -> Ranks:
    """Ranks of the graded candidates from scores that come in blocks of rows; equal ones tie.

    Args:
      blocks: rows of scores in the order of the queries; the first block is the largest.
      relevant_QG: indices of candidates, -1 for none; column 0 is the true code.
      grade_QG: their grades.

    Returns:
      Ranks of shape (Q, G).

    Raises:
      ValueError: if an index is outside the candidates or the rows are not as many as the queries.

    Example:
      >>> one = np.ones((1, 1), np.int32)
      >>> score_ranks([np.array([[0.2, 0.5, 0.5]], np.float32)], one, one).worst_QG
      array([[2]], dtype=int32)
    """
    best, worst, done, step = [relevant_QG[:0]], [relevant_QG[:0]], 0, 0
    for score_RM in blocks:
        rows = slice(done, done + len(score_RM))
        done, step = rows.stop, step or len(score_RM)
        relevant_RG, (height, candidates) = relevant_QG[rows], score_RM.shape
        _check_relevance(relevant_RG, grade_QG[rows], queries=height, candidates=candidates)
        # Padded to the first block's rows, so that a shorter last block compiles nothing new.
        bounds = _rank_bounds(pad_rows(score_RM, step), pad_rows(relevant_RG, step))
        for ranks, bound_RG in zip((best, worst), bounds, strict=True):
            ranks.append(np.asarray(bound_RG)[:height])
    if done != len(relevant_QG):
        raise ValueError(f"{done} rows of scores for {len(relevant_QG)} queries: give one each")
    return _ranks(np.concatenate(best), np.concatenate(worst), relevant_QG, grade_QG)


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
    q_QD, c_MD = _all_finite(q_QD, "query"), _all_finite(c_MD, "candidate")
    _check_vectors(q_QD, c_MD)
    if k < 1:
        raise ValueError(f"k is {k}: ask for at least 1 candidate")
    width = block_shape(len(c_MD)).candidates
    tops = [_top_of_block(q_QD, c_MD, start, k) for start in range(0, len(c_MD), width)]
    # In the order of the indices, so that the stable sort by score leaves equal ones in it.
    index_QK = np.sort(np.concatenate(tops, axis=1), axis=1)
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


def _zero_nonfinite(x_RD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vectors in float32, those with a NaN or infinity zeroed; and which are finite.

    Example:
      >>> _zero_nonfinite(np.array([[1.0, 2.0], [3.0, np.nan]]))[1]
      array([ True, False])
    """
    x_RD = np.asarray(x_RD, np.float32)
    finite_R = np.isfinite(x_RD).all(axis=-1)
    if finite_R.all():
        return x_RD, finite_R
    return np.where(finite_R[..., None], x_RD, 0), finite_R


def _all_finite(x_RD: np.ndarray, name: str) -> np.ndarray:
    x_RD, finite_R = _zero_nonfinite(x_RD)
    if not finite_R.all():
        raise ValueError(
            f"{np.sum(~finite_R)} of {len(x_RD)} {name} vectors are not finite, the first is row "
            f"{np.argmin(finite_R)}: no ranking exists"
        )
    return x_RD


def _check_vectors(q_QD: np.ndarray, c_MD: np.ndarray) -> None:
    """Raises ValueError unless both are (rows, D) with the same D and there are candidates."""
    if q_QD.ndim != 2 or c_MD.ndim != 2 or q_QD.shape[1] != c_MD.shape[1] or len(c_MD) == 0:
        raise ValueError(f"queries {q_QD.shape} and candidates {c_MD.shape}: give (Q, D), (M, D)")


def _check_relevance(
    relevant_QG: np.ndarray, grade_QG: np.ndarray, *, queries: int, candidates: int
) -> None:
    if relevant_QG.shape != grade_QG.shape or len(relevant_QG) != queries:
        raise ValueError(
            f"relevant {relevant_QG.shape} and grade {grade_QG.shape} for {queries} queries: "
            "give two (Q, G)"
        )
    if relevant_QG.min(initial=0) < -1 or relevant_QG.max(initial=-1) >= candidates:
        raise ValueError(
            f"relevant has indices {relevant_QG.min()} to {relevant_QG.max()} for {candidates} "
            "candidates: use -1 for none"
        )


def _true_scores(q_QD: np.ndarray, c_MD: np.ndarray, relevant_QG: np.ndarray) -> np.ndarray:
    """(Q, G) float64 scores of the graded candidates; inf for none, so that nothing is above."""
    query_P = np.repeat(np.arange(len(q_QD)), relevant_QG.shape[1])
    score_QG = pair_dots(q_QD, c_MD, query_P, relevant_QG.ravel()).reshape(relevant_QG.shape)
    return np.where(relevant_QG >= 0, score_QG, np.inf)


def _ranks(
    best_QG: np.ndarray, worst_QG: np.ndarray, relevant_QG: np.ndarray, grade_QG: np.ndarray
) -> Ranks:
    exists_QG = relevant_QG >= 0
    bounds = (np.where(exists_QG, x, 0).astype(np.int32) for x in (best_QG, worst_QG))
    return Ranks(*bounds, np.asarray(grade_QG, np.int32))


def _top_of_block(q_QD: np.ndarray, c_MD: np.ndarray, start: int, k: int) -> np.ndarray:
    """(Q, k) indices of the best candidates of the block that begins at `start`."""
    rows, columns = block_shape(len(c_MD))
    block = c_MD[start : start + columns]
    c_BD = jax.device_put(pad_rows(block, columns))
    where_B = np.arange(columns) < len(block)
    best = [
        _device_top(pad_rows(q_QD[row : row + rows], rows), c_BD, where_B, k=min(k, len(block)))
        for row in range(0, max(len(q_QD), 1), rows)
    ]
    return start + np.concatenate(best)[: len(q_QD)].astype(np.int64)


@functools.partial(jax.jit, static_argnames="k")
def _device_top(q_BD: jax.Array, c_MD: jax.Array, where_M: jax.Array, *, k: int) -> jax.Array:
    return jax.lax.top_k(jnp.where(where_M[None], scores(q_BD, c_MD), -jnp.inf), k)[1]


def _top_of_row(score_M: np.ndarray, k: int) -> np.ndarray:
    """The indices of the k highest scores, of equal ones the first, in rising order; no sort."""
    least = np.partition(score_M, len(score_M) - k)[len(score_M) - k]
    above = np.flatnonzero(score_M > least)
    return np.sort(np.append(above, np.flatnonzero(score_M == least)[: k - len(above)]))
