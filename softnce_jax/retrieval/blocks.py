"""Blocks of the score matrix: their shape, what a device counts in one, exact scores of pairs.

A block is some queries times some candidates. The devices score it in float32 and send back two
things: how many candidates are certainly above each graded one, and which are so near to it that
float32 cannot decide. The host decides those with float64.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from softnce_jax.mesh import AXIS, by_rows, put_global, replicated
from softnce_jax.retrieval.metrics import compare

__all__ = [
    "Block",
    "Undecided",
    "block_shape",
    "count_blocks",
    "norms",
    "pad_rows",
    "pair_dots",
    "scores",
]

MAX_BLOCK_BYTES = 64 * 2**20  # of scores, on one device
MAX_BLOCK_QUERIES = 256
MAX_BLOCK_CANDIDATES = 2**17
PAIRS_AT_ONCE = 8192  # exact scores computed at once


class Block(NamedTuple):
    """Queries and candidates in one block of the score matrix, on one device."""

    queries: int
    candidates: int


class Undecided(NamedTuple):
    """Triples (query, graded candidate, other candidate) that float32 cannot put in order."""

    query_P: np.ndarray
    graded_P: np.ndarray
    candidate_P: np.ndarray


def block_shape(candidates: int) -> Block:
    """The block for M candidates: all of them up to 131,072, at most 64 MiB of scores.

    The shape depends on nothing else, so an evaluation compiles once for any number of queries.

    Args:
      candidates: M.

    Returns:
      The block; its number of candidates is a multiple of 8 (the device sends back one bit each).

    Example:
      >>> block_shape(43_827)
      Block(queries=256, candidates=43832)
      >>> block_shape(1_000_000)
      Block(queries=128, candidates=131072)
    """
    width = min(-(-candidates // 8) * 8, MAX_BLOCK_CANDIDATES)
    return Block(min(MAX_BLOCK_QUERIES, MAX_BLOCK_BYTES // (4 * width)), width)


def pad_rows(x: np.ndarray, rows: int) -> np.ndarray:
    """`x` with rows of zeros appended up to `rows`.

    Example:
      >>> pad_rows(np.array([1, 2]), 3)
      array([1, 2, 0])
    """
    if len(x) == rows:
        return x  # a copy of all candidates would cost as much as multiplying 40 queries with them
    return np.pad(x, [(0, rows - len(x))] + [(0, 0)] * (x.ndim - 1))


def pair_dots(
    q_QD: np.ndarray, c_MD: np.ndarray, query_P: np.ndarray, candidate_P: np.ndarray
) -> np.ndarray:
    """float64 dot products of single (query, candidate) pairs.

    Each pair is multiplied and summed by itself, so its bits depend on its two vectors alone, not
    on its neighbours as those of a matrix product may.

    Args:
      q_QD: query vectors.
      c_MD: candidate vectors.
      query_P: indices of queries.
      candidate_P: indices of candidates.

    Returns:
      (P,) scores.

    Example:
      >>> pair_dots(np.eye(2), np.array([[3.0, 4.0]]), np.array([1]), np.array([0]))
      array([4.])
    """
    score_P = np.empty(len(query_P))
    for start in range(0, len(query_P), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        product_PD = c_MD[candidate_P[part]].astype(np.float64)
        product_PD *= q_QD[query_P[part]]
        score_P[part] = product_PD.sum(axis=1)
    return score_P


def norms(x_RD: np.ndarray) -> np.ndarray:
    """float64 lengths of the rows.

    Example:
      >>> norms(np.array([[3.0, 4.0]]))
      array([5.])
    """
    every_R = np.arange(len(x_RD))
    return np.sqrt(pair_dots(x_RD, x_RD, every_R, every_R))


def count_blocks(
    q_QD: np.ndarray,
    c_MD: np.ndarray,
    *,
    relevant_QG: np.ndarray,
    true_QG: np.ndarray,
    tolerance_QG: np.ndarray,
    norm_Q: np.ndarray,
    norm_M: np.ndarray,
    where_M: np.ndarray,
    mesh: Mesh,
    row_block: int | None,
) -> Iterator[tuple[slice, np.ndarray, Undecided]]:
    """Counts on the devices, block by block, what float32 can decide, and lists what it cannot.

    Args:
      q_QD: finite query vectors.
      c_MD: finite candidate vectors.
      relevant_QG: candidate indices; -1 for none.
      true_QG: their float64 scores; inf for none, so that nothing is above or undecided.
      tolerance_QG: scores at most this far from the true one are ties.
      norm_Q: lengths of the queries.
      norm_M: lengths of the candidates.
      where_M: the candidates that count.
      mesh: devices to split the queries over, on its axis `data`.
      row_block: queries per device and step; None: from M alone.

    Yields:
      rows: the queries of the block.
      above_RG: how many candidates are above each graded one, whatever the rounding was.
      undecided: the candidates to be scored exactly.
    """
    shape = block_shape(len(c_MD))
    step = (row_block or shape.queries) * mesh.shape[AXIS]
    rounding_Q = _rounding(q_QD.shape[1]) * norm_Q
    # Two scores are compared, both rounded: the graded candidate's share of the slack is here, the
    # other candidate's is added on the device.
    slack_QG = tolerance_QG + rounding_Q[:, None] * norm_M[relevant_QG]
    for column in range(0, len(c_MD), shape.candidates):
        part = slice(column, column + shape.candidates)
        block = (c_MD[part], norm_M[part], where_M[part])
        candidates = _put(block, shape.candidates, replicated(mesh))
        every = (q_QD, rounding_Q, true_QG, slack_QG, relevant_QG - column)
        for row in range(0, len(q_QD), step):
            rows = slice(row, min(row + step, len(q_QD)))
            queries = _put([x[rows] for x in every], step, by_rows(mesh))
            above_BG, bits_BGM = (np.asarray(x) for x in count_block(mesh, queries, candidates))
            used = slice(rows.stop - row)
            query_P, graded_P, candidate_P = set_bits(bits_BGM[used])
            yield rows, above_BG[used], Undecided(query_P + row, graded_P, candidate_P + column)


def set_bits(packed_BGM: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The indices of the bits that are set, eight to a byte along the last axis, in order.

    Nearly all bytes are zero, so only the others are unpacked.

    Example:
      >>> set_bits(np.array([[[0, 0b01000001]]], np.uint8))
      (array([0, 0]), array([0, 0]), array([ 9, 15]))
    """
    row_P, graded_P, byte_P = np.nonzero(packed_BGM)
    found_S, bit_S = np.nonzero(np.unpackbits(packed_BGM[row_P, graded_P, byte_P, None], axis=1))
    return row_P[found_S], graded_P[found_S], 8 * byte_P[found_S] + bit_S


@functools.partial(jax.jit, static_argnums=0)
def count_block(mesh: Mesh, queries: tuple, candidates: tuple) -> tuple[jax.Array, jax.Array]:
    """One block of `count_blocks`.

    Args:
      mesh: the queries are split over its axis `data`.
      queries: q_BD, rounding_B (of a score, per unit of the candidate's length), true_BG, slack_BG
        (the part of the slack that is the same for every candidate), relevant_BG (index in this
        block).
      candidates: c_MD, norm_M, where_M.

    Returns:
      above_BG int32; bits_BGM, one bit per undecided candidate, eight to a byte. Replicated.
    """

    def local(queries, candidates):
        counts = _count(*queries, *candidates)
        return jax.tree.map(lambda x: jax.lax.all_gather(x, AXIS, tiled=True), counts)

    return jax.shard_map(local, mesh=mesh, in_specs=(P(AXIS), P()), out_specs=P(), check_vma=False)(
        queries, candidates
    )


def _count(q_BD, rounding_B, true_BG, slack_BG, relevant_BG, c_MD, norm_M, where_M):
    score_BM = scores(q_BD, c_MD)
    rounding_BM = rounding_B[:, None] * norm_M[None]
    index_1M = jnp.arange(len(c_MD))[None]

    def count_graded(graded):
        true_B1, slack_B1, relevant_B1 = (x[:, None] for x in graded)
        above_BM, below_BM = compare(score_BM, true_B1, slack_B1 + rounding_BM)
        other_BM = where_M[None] & (index_1M != relevant_B1)
        above_B = jnp.sum(above_BM & other_BM, axis=1, dtype=jnp.int32)
        return above_B, jnp.packbits(~above_BM & ~below_BM & other_BM, axis=1)

    counts = jax.lax.map(count_graded, (true_BG.T, slack_BG.T, relevant_BG.T))
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), counts)


def scores(q_BD: jax.Array, c_MD: jax.Array) -> jax.Array:
    """Dot products in float32: by default TPUs multiply in bfloat16 and GPUs in TF32."""
    return jnp.einsum("bd,md->bm", q_BD, c_MD, precision=jax.lax.Precision.HIGHEST)


def _rounding(width: int) -> float:
    """The largest error of a float32 dot product of `width` terms, per |q|·|c|.

    Rounding errors add up like a random walk: 8·√D units are exceeded with probability 2·exp(−32)
    (Higham & Mary, A new approach to probabilistic rounding error analysis, 2019).
    """
    return 8 * math.sqrt(width) * 2.0**-24


def _put(arrays: Sequence[np.ndarray], rows: int, sharding: NamedSharding) -> tuple:
    """Puts the arrays on the devices: padded, in 32 bits."""
    narrow = {"f": np.float32, "i": np.int32, "b": np.bool_}
    return put_global(
        tuple(pad_rows(x, rows).astype(narrow[x.dtype.kind], copy=False) for x in arrays), sharding
    )
