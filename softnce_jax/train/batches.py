"""Batches: batch n is a pure function of (seed, n), on any number of hosts and workers.

The indices of a batch are drawn at random over the whole epoch, never by length, because the
other pairs of the batch are the negatives. Then the texts are tokenized, in the loader's threads,
and laid out in arrays of few shapes, one for each number of packed rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import grain
import numpy as np

from softnce_jax.data.corpus import Pair, answer_keys, text_keys
from softnce_jax.packing import (
    PackedRows,
    Plan,
    Room,
    bucket,
    fill,
    first_fit,
    one_per_row,
    sizes,
)

if TYPE_CHECKING:
    from softnce_jax.dataflow.example import Example
    from softnce_jax.encoders.processor import Ids, Processor


class PackedTexts(NamedTuple):
    """Queries and candidates packed together, in groups of as many of either.

    A text's number is its row in the batch, candidates counted on after the B queries.
    """

    rows: PackedRows  # of G groups
    queries: np.ndarray  # (G, B / G) int32, the slots of queries among those of their group
    codes: np.ndarray  # (G, N / G) int32


class Batch(NamedTuple):
    """What one step reads. Features are None where no estimator is used.

    The candidates of a row lie together, N / B of them: its own, then its hard negatives. So their
    order is the same on any number of hosts and devices.
    """

    texts: PackedTexts
    query_features: np.ndarray | None  # (B, F) float32
    code_features: np.ndarray | None  # (N, F) float32
    query_keys: np.ndarray | None = None  # (B,) int32, equal where the texts are
    code_keys: np.ndarray | None = None  # (N,) int32
    answers: np.ndarray | None = None  # (N, P) int32, keys of the queries that a candidate answers

    @property
    def pairs(self) -> int:
        """Rows of the batch, or of a host's share of it."""
        return self.texts.queries.size


# The features (a, b) of a batch from the indices of its pairs (B,), the ragged token ids of their
# queries, and the indices of the pairs whose functions are this host's candidates (n,).
Features = Callable[[np.ndarray, "list[Ids]", np.ndarray], tuple[np.ndarray, np.ndarray]]


def batch_indices(pairs: int, batch_size: int, seed: int) -> grain.MapDataset:
    """The pairs of every batch: element n is (batch_size,) int indices, without end.

    Every epoch is a new permutation; its last, incomplete batch is left out, another one each
    time.

    Example:
      >>> indices = batch_indices(10, 4, seed=0)
      >>> indices[7].shape, len(set(indices[0]) | set(indices[1]))
      ((4,), 8)
    """
    order = grain.MapDataset.range(pairs).shuffle(seed % 2**32)
    return order.batch(batch_size, drop_remainder=True).repeat()


def batches(
    indices: grain.MapDataset,
    pairs: Sequence[Pair],
    processor: Processor,
    features: Features | None = None,
    *,
    keys: bool = False,
    negatives: np.ndarray | None = None,
    shard: tuple[int, int] = (0, 1),
    groups: int = 1,
    code_sizes: np.ndarray | None = None,
    one_text_per_row: bool = False,
) -> grain.MapDataset:
    """Lays batches out: element n is this host's rows of batch n.

    Every host tokenizes all queries of the batch, so that in-batch statistics are those of the
    global batch, but only its own share of the code.

    Args:
      indices: as made by `batch_indices`.
      pairs: the training split.
      processor: of the encoder.
      features: the estimator's features, None for none.
      keys: whether to add the keys of the texts, which tell duplicates.
      negatives: the pairs whose functions are hard negatives of each pair, (R, K) indices; None for
        none.
      shard: (index, count) of this host.
      groups: G, into which packed texts are split, on all hosts: devices, or their slices.
      code_sizes: what the function of every pair takes of a packed row, (R, 3) as of
        `packing.sizes`; needed by several hosts, which must choose the same number of rows.
      one_text_per_row: whether to pad each text to a row of its own instead of packing them.

    Returns:
      A MapDataset of Batch with B / count rows and (1 + K) · B / count candidates.
    """
    answer_RP = answer_keys(pairs) if keys else None
    plan = one_per_row if one_text_per_row else first_fit

    def lay_out(index_B: np.ndarray) -> Batch:
        share = len(index_B) // shard[1]
        own = slice(shard[0] * share, (shard[0] + 1) * share)
        queries = processor.queries([pairs[i].query for i in index_B])
        index_N = with_negatives(index_B[own], negatives)
        candidates = [pairs[i] for i in index_N]
        codes = processor.codes(candidates)
        every_N = with_negatives(index_B, negatives)
        size_N3 = sizes(codes, processor.room) if code_sizes is None else code_sizes[every_N]
        texts = pack(queries, codes, size_N3, processor, plan, groups=groups, shard=shard)
        a_BF, b_NF = features(index_B, queries, index_N) if features else (None, None)
        return Batch(
            texts,
            None if a_BF is None else a_BF[own],
            b_NF,
            text_keys([pairs[i].query for i in index_B[own]]) if keys else None,
            text_keys([pair.code for pair in candidates]) if keys else None,
            answer_RP[index_N] if keys else None,
        )

    return indices.map(lay_out)


def pack(
    queries: list[Ids],
    own_codes: list[Ids] | list[Example],
    code_size_N3: np.ndarray,
    processor: Processor,
    plan: Callable[[np.ndarray, Room], Plan],
    *,
    groups: int,
    shard: tuple[int, int],
) -> PackedTexts:
    """The groups of a host, in as many rows as the group of the batch that needs most.

    Args:
      queries: of the whole batch.
      own_codes: of the host's candidates.
      code_size_N3: what each candidate of the whole batch takes.
      processor: of the encoder.
      plan: which text goes where, from what each takes of a row.
      groups: G, of all hosts.
      shard: (index, count) of this host.
    """
    room, every = processor.room, range(groups)
    query_of = np.arange(len(queries)).reshape(groups, -1)
    code_of = np.arange(len(code_size_N3)).reshape(groups, -1)
    size_B3 = sizes(queries, room)
    plans = [
        plan(np.concatenate([size_B3[query_of[g]], code_size_N3[code_of[g]]]), room) for g in every
    ]
    own = every[shard[0] * groups // shard[1] : (shard[0] + 1) * groups // shard[1]]
    first = code_of[own[0], 0]
    packed = fill(
        [
            [queries[i] for i in query_of[g]] + [own_codes[i - first] for i in code_of[g]]
            for g in own
        ],
        [plans[g] for g in own],
        [[*query_of[g], *(len(queries) + code_of[g])] for g in own],
        rows=bucket(max(plan.rows for plan in plans)),
        room=room,
        pad_id=processor.tokenizer.pad_id,
    )
    slots = np.stack([plans[g].slot_T(room.slots) for g in own])
    return PackedTexts(packed, *np.split(slots, [query_of.shape[1]], axis=1))


def with_negatives(index_B: np.ndarray, negatives: np.ndarray | None) -> np.ndarray:
    """The candidates of rows: each row's own pair, then its hard negatives.

    Example:
      >>> with_negatives(np.array([2, 0]), np.array([[1, 2], [2, 0], [0, 1]])).tolist()
      [2, 0, 1, 0, 1, 2]
    """
    if negatives is None:
        return np.asarray(index_B)
    return np.concatenate([index_B[:, None], negatives[index_B]], axis=1).ravel()


def load_ahead(dataset: grain.MapDataset, start: int):
    """Iterates over `dataset[start:]`, threads reading ahead of the caller, in order."""
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=4)
    return iter(dataset[start:].to_iter_dataset(options))
