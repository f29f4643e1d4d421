"""Batches: batch n is a pure function of (seed, n), on any number of processes and threads.

The indices of a batch are drawn at random over the whole epoch, never by length, because the
other pairs of the batch are the negatives. Then the texts are tokenized, in the loader's threads,
and packed into arrays of few shapes, one for each number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import grain
import numpy as np

from softnce_jax.data.corpus import Pair, answer_keys, text_keys
from softnce_jax.packing import (
    Bags,
    Capacity,
    PackedRows,
    Plan,
    bags,
    bucket,
    distinct_tokens,
    fill,
    first_fit,
    one_per_row,
    sizes,
)

if TYPE_CHECKING:
    from softnce_jax.dataflow.example import Example
    from softnce_jax.encoders.processor import Ids, Processor


class PackedTexts(NamedTuple):
    """Queries and candidates packed together, in G groups that have equally many of either.

    A text's number in the packed rows is its index in the batch: queries 0 to B − 1, candidates
    B to B + N − 1.

    Attributes:
      rows: of all groups; bags for a static encoder, whose slots are its texts.
      queries: (G, B / G) int32, the slot of each query among those of its group.
      codes: (G, N / G) int32, the slot of each candidate.
    """

    rows: PackedRows | Bags
    queries: np.ndarray
    codes: np.ndarray


class Batch(NamedTuple):
    """What one step reads: B queries and N candidates.

    The N / B candidates of a row are neighbours: its positive, then its hard negatives. So their
    order is the same on any number of processes and devices.

    Attributes:
      texts: of both sides.
      query_features: (B, F) float32, or None where no estimator is used.
      code_features: (N, F) float32, or None.
      query_keys: (B,) int32, equal where the texts are; keys are None where nothing reads them.
      code_keys: (N,) int32.
      answers: (N, P) int32, the keys of the queries that each candidate answers.
    """

    texts: PackedTexts
    query_features: np.ndarray | None
    code_features: np.ndarray | None
    query_keys: np.ndarray | None = None
    code_keys: np.ndarray | None = None
    answers: np.ndarray | None = None

    @property
    def pairs(self) -> int:
        """Rows of the batch, or of a process's share of it."""
        return self.texts.queries.size


class TrainingBatches(NamedTuple):
    """The batches of a run.

    Attributes:
      dataset: element n is this process's rows of batch n.
      urls: of the pairs of batch n, to name those of a step that went wrong.
    """

    dataset: grain.MapDataset
    urls: Callable[[int], list[str]]


# The features (a, b) of a batch from the indices of its pairs (B,), the ragged token ids of their
# queries, and the indices of the pairs whose functions are this process's candidates (n,).
Features = Callable[[np.ndarray, "list[Ids]", np.ndarray], tuple[np.ndarray, np.ndarray]]


def batch_indices(pairs: int, batch_size: int, seed: int) -> grain.MapDataset:
    """The pairs of every batch: element n is (batch_size,) int indices, without end.

    Every epoch is a new permutation, so its last, incomplete batch leaves out other pairs each
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
    """Lays batches out: element n is this process's rows of batch n.

    Every process tokenizes all queries of the batch, so that in-batch statistics are those of the
    global batch, but only its share of the code.

    Args:
      indices: as made by `batch_indices`.
      pairs: the training split.
      processor: of the encoder.
      features: the estimator's features, None for none.
      keys: whether to add the keys of the texts, which tell duplicates.
      negatives: the pairs whose functions are hard negatives of each pair, (R, K) indices; None for
        none.
      shard: (index, count) of this process.
      groups: G of the global batch: devices, times slices of each.
      code_sizes: what the function of every pair takes of a row or of bags, (R, 3) as of
        `Processor.sizes`; needed by several processes, which must choose the same number of rows.
      one_text_per_row: whether to pad each text to a row of its own instead of packing them.

    Returns:
      A MapDataset of Batch with B / count rows and (1 + K) · B / count candidates.
    """
    answer_RP = answer_keys(pairs) if keys else None

    def lay_out(index_B: np.ndarray) -> Batch:
        # B and N count the global batch, b and n this process's share of it.
        rows = _share(len(index_B), shard)
        queries = processor.queries([pairs[i].query for i in index_B])
        index_n = with_negatives(index_B[rows], negatives)
        candidates = [pairs[i] for i in index_n]
        codes = processor.codes(candidates)
        index_N = with_negatives(index_B, negatives)
        size_N3 = processor.sizes(codes) if code_sizes is None else code_sizes[index_N]
        texts = pack_texts(
            queries,
            codes,
            size_N3,
            processor,
            groups=groups,
            shard=shard,
            one_text_per_row=one_text_per_row,
        )
        a_BF, b_nF = features(index_B, queries, index_n) if features else (None, None)
        return Batch(
            texts,
            None if a_BF is None else a_BF[rows],
            b_nF,
            text_keys([pairs[i].query for i in index_B[rows]]) if keys else None,
            text_keys([pair.code for pair in candidates]) if keys else None,
            answer_RP[index_n] if keys else None,
        )

    return indices.map(lay_out)


def pack_texts(
    queries: list[Ids],
    codes: list[Ids] | list[Example],
    code_size_N3: np.ndarray,
    processor: Processor,
    *,
    groups: int,
    shard: tuple[int, int] = (0, 1),
    one_text_per_row: bool = False,
) -> PackedTexts:
    """The texts of a batch as the encoder reads them: in rows, or in bags.

    Args:
      queries: of the global batch.
      codes: of this process's candidates.
      code_size_N3: what each candidate of the global batch takes, as of `Processor.sizes`.
      processor: of the encoder.
      groups: G of the global batch.
      shard: (index, count) of this process.
      one_text_per_row: whether to pad each text to a row of its own instead of packing them.
    """
    if processor.in_bags:
        return _in_bags(queries, codes, code_size_N3[:, 0], groups=groups, shard=shard)
    plan = one_per_row if one_text_per_row else first_fit
    return _pack(queries, codes, code_size_N3, processor, plan, groups=groups, shard=shard)


def _pack(
    queries: list[Ids],
    codes: list[Ids] | list[Example],
    code_size_N3: np.ndarray,
    processor: Processor,
    plan: Callable[[np.ndarray, Capacity], Plan],
    *,
    groups: int,
    shard: tuple[int, int],
) -> PackedTexts:
    """The groups of a batch that this process has.

    All groups of the global batch are planned, because all get as many rows as the one that needs
    the most: arrays of one program have one shape everywhere.

    Args:
      queries: of the global batch.
      codes: of this process's candidates.
      code_size_N3: what each candidate of the global batch takes of a row.
      processor: of the encoder.
      plan: which text goes where, from what each takes of a row.
      groups: G of the global batch.
      shard: (index, count) of this process.
    """
    capacity, size_B3 = processor.capacity, sizes(queries, processor.capacity)
    query_GB = np.arange(len(queries)).reshape(groups, -1)
    code_GN = np.arange(len(code_size_N3)).reshape(groups, -1)
    size_GT3 = np.concatenate([size_B3[query_GB], code_size_N3[code_GN]], axis=1)
    plans = [plan(size_T3, capacity) for size_T3 in size_GT3]

    here = range(groups)[_share(groups, shard)]
    first_code = code_GN[here[0], 0]
    packed = fill(
        [
            [queries[i] for i in query_GB[g]] + [codes[i - first_code] for i in code_GN[g]]
            for g in here
        ],
        [plans[g] for g in here],
        [[*query_GB[g], *(len(queries) + code_GN[g])] for g in here],
        rows=bucket(max(plan.rows for plan in plans)),
        capacity=capacity,
        pad_id=processor.tokenizer.pad_id,
    )
    slot_GT = np.stack([plans[g].slot_T(capacity.slots) for g in here])
    return PackedTexts(packed, *np.split(slot_GT, [query_GB.shape[1]], axis=1))


def _in_bags(
    queries: list[Ids],
    codes: list[Ids],
    tokens_N: np.ndarray,
    *,
    groups: int,
    shard: tuple[int, int],
) -> PackedTexts:
    """As `_pack`, for a static encoder: the texts of each group end to end.

    All groups have room for the different tokens of the texts of the largest one, rounded up to
    one of few sizes.
    """
    query_GB = np.arange(len(queries)).reshape(groups, -1)
    code_GN = np.arange(len(tokens_N)).reshape(groups, -1)
    tokens_G = distinct_tokens(queries)[query_GB].sum(axis=1) + tokens_N[code_GN].sum(axis=1)
    here = range(groups)[_share(groups, shard)]
    first_code = code_GN[here[0], 0]
    laid = bags(
        [
            [queries[i] for i in query_GB[g]] + [codes[i - first_code] for i in code_GN[g]]
            for g in here
        ],
        tokens=bucket(max(1, int(tokens_G.max()))),
    )
    slot_GT = np.tile(np.arange(laid.sizes.shape[1], dtype=np.int32), (len(here), 1))
    return PackedTexts(laid, *np.split(slot_GT, [query_GB.shape[1]], axis=1))


def _share(total: int, shard: tuple[int, int]) -> slice:
    """The part of `total` rows that process `index` of `count` has."""
    index, count = shard
    return slice(index * total // count, (index + 1) * total // count)


def with_negatives(index_B: np.ndarray, negatives: np.ndarray | None) -> np.ndarray:
    """The candidates of rows: each row's positive, then its hard negatives.

    Example:
      >>> with_negatives(np.array([2, 0]), np.array([[1, 2], [2, 0], [0, 1]])).tolist()
      [2, 0, 1, 0, 1, 2]
    """
    if negatives is None:
        return np.asarray(index_B)
    return np.concatenate([index_B[:, None], negatives[index_B]], axis=1).ravel()


def load_ahead(dataset: grain.MapDataset, start: int) -> Iterator[Batch]:
    """Iterates over `dataset[start:]` in order, while threads read ahead of the caller."""
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=4)
    return iter(dataset[start:].to_iter_dataset(options))
