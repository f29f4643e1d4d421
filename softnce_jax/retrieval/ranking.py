"""Exact places of the true codes, without the (Q, M) score matrix ever existing.

The device multiplies a block of queries with the candidates in float32 and counts what is certainly
above the true code. The few candidates within rounding distance of it are scored again in float64,
pair by pair. So the places are those of the exact dot products, and the same for any block, any
number of devices and any order of the queries and candidates. (Where an encoder has collapsed and
all scores are that near, all are scored twice: still exact, but slow.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

from softnce_jax.retrieval.blocks import count_blocks, norms, padded, pair_dots
from softnce_jax.retrieval.metrics import Ranks, compare, rank_bounds

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from softnce_jax.data.corpus import Candidate, Pair

TIE = 1e-6  # of |q|·|c|: more than two embeddings of one text, made in two batches, differ by
SAME_URL, SAME_FAMILY = 3, 1

_rank_bounds = jax.jit(rank_bounds)


def graded(pairs: Sequence[Pair], candidates: Sequence[Candidate]) -> tuple[np.ndarray, np.ndarray]:
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
    rows = [_answers(pair.url, index, candidates, families) for pair in pairs]
    width = max(map(len, rows), default=1)
    relevant_QG = np.full((len(rows), width), -1, np.int32)
    for q, row in enumerate(rows):
        relevant_QG[q, : len(row)] = row
    grade_QG = np.where(relevant_QG >= 0, SAME_FAMILY, 0).astype(np.int32)
    grade_QG[:, 0] = SAME_URL if families else 1
    return relevant_QG, grade_QG


def _answers(url, index, candidates, families) -> list[int]:
    if url not in index:
        raise ValueError(f"no candidate has the url {url!r}: drop the pair or add its code")
    true = index[url]
    return [true, *(m for m in families.get(candidates[true].family, []) if m != true)]


def vector_ranks(
    q_QD: Float[np.ndarray, "Q D"],
    c_MD: Float[np.ndarray, "M D"],
    relevant_QG: Int[np.ndarray, "Q G"],
    grade_QG: Int[np.ndarray, "Q G"],
    *,
    mesh: Mesh | None = None,
    row_block: int | None = None,
) -> Ranks:
    """Places of the graded candidates by dot product; scores within 1e-6·|q|·|c| of theirs tie.

    A vector that is not finite has no score. Such a candidate counts as above every true code;
    such a query or true code has the last place.

    Args:
      q_QD: query vectors.
      c_MD: candidate vectors.
      relevant_QG: indices of candidates, -1 for none; column 0 is the true code.
      grade_QG: their grades.
      mesh: devices to split the queries over, on its axis `data`; default: one device.
      row_block: queries per device and step; default: from M alone. Changes memory, not places.

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
    mesh = _one_device() if mesh is None else mesh
    if "data" not in mesh.shape:
        raise ValueError(f"the mesh has axes {tuple(mesh.shape)}: name one 'data'")
    q_QD, finite_Q = finite_rows(q_QD)
    c_MD, finite_M = finite_rows(c_MD)
    check_vectors(q_QD, c_MD)
    _check_graded(relevant_QG, grade_QG, queries=len(q_QD), candidates=len(c_MD))

    norm_Q, norm_M = norms(q_QD), norms(c_MD)
    size_QG = norm_Q[:, None] * norm_M[relevant_QG]
    true_QG = _true_dots(q_QD, c_MD, relevant_QG)
    tolerance_QG = TIE * size_QG
    above_QG = np.full(relevant_QG.shape, np.sum(~finite_M))
    tied_QG = np.zeros(relevant_QG.shape, int)
    for rows, counted_RG, near in count_blocks(
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
        score_P = pair_dots(q_QD, c_MD, near.query_P, near.candidate_P)
        place = (near.query_P, near.graded_P)
        above_P, below_P = compare(score_P, true_QG[place], tolerance_QG[place])
        np.add.at(above_QG, place, above_P)
        np.add.at(tied_QG, place, ~above_P & ~below_P)

    lost_QG = ~finite_Q[:, None] | ~finite_M[relevant_QG]
    best_QG = np.where(lost_QG, len(c_MD), 1 + above_QG)
    worst_QG = np.where(lost_QG, len(c_MD), 1 + above_QG + tied_QG)
    return _ranks(best_QG, worst_QG, relevant_QG, grade_QG)


def score_ranks(
    blocks: Iterable[Float[np.ndarray, "R M"]],
    relevant_QG: Int[np.ndarray, "Q G"],
    grade_QG: Int[np.ndarray, "Q G"],
) -> Ranks:
    """Places of the graded candidates from scores that come in blocks of rows; equal ones tie.

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
        _check_graded(relevant_RG, grade_QG[rows], queries=height, candidates=candidates)
        bounds = _rank_bounds(padded(score_RM, step), padded(relevant_RG, step))
        for places, bound_RG in zip((best, worst), bounds, strict=True):
            places.append(np.asarray(bound_RG)[:height])
    if done != len(relevant_QG):
        raise ValueError(f"{done} rows of scores for {len(relevant_QG)} queries: give one each")
    return _ranks(np.concatenate(best), np.concatenate(worst), relevant_QG, grade_QG)


def finite_rows(x_RD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vectors in float32, those with a NaN or infinity zeroed; and which are finite.

    Example:
      >>> finite_rows(np.array([[1.0, 2.0], [3.0, np.nan]]))[1]
      array([ True, False])
    """
    x_RD = np.asarray(x_RD, np.float32)
    finite_R = np.isfinite(x_RD).all(axis=-1)
    if finite_R.all():
        return x_RD, finite_R
    return np.where(finite_R[..., None], x_RD, 0), finite_R


def check_vectors(q_QD: np.ndarray, c_MD: np.ndarray) -> None:
    """Raises ValueError unless both are (rows, D) with the same D and there are candidates."""
    if q_QD.ndim != 2 or c_MD.ndim != 2 or q_QD.shape[1] != c_MD.shape[1] or len(c_MD) == 0:
        raise ValueError(f"queries {q_QD.shape} and candidates {c_MD.shape}: give (Q, D), (M, D)")


def _check_graded(relevant_QG, grade_QG, *, queries: int, candidates: int) -> None:
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


def _true_dots(q_QD, c_MD, relevant_QG) -> np.ndarray:
    query_P = np.repeat(np.arange(len(q_QD)), relevant_QG.shape[1])
    score_QG = pair_dots(q_QD, c_MD, query_P, relevant_QG.ravel()).reshape(relevant_QG.shape)
    return np.where(relevant_QG >= 0, score_QG, np.inf)


def _one_device() -> Mesh:
    devices = jax.local_devices()[:1]
    return jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def _ranks(best_QG, worst_QG, relevant_QG, grade_QG) -> Ranks:
    there_QG = relevant_QG >= 0
    places = (np.where(there_QG, x, 0).astype(np.int32) for x in (best_QG, worst_QG))
    return Ranks(*places, np.asarray(grade_QG, np.int32))
