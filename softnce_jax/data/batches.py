"""Batches: batch n is a pure function of (seed, n), on any number of hosts and workers.

The indices of a batch are drawn at random over the whole epoch, never by length, because the
other pairs of the batch are the negatives. Then the texts are tokenized, in the loader's threads,
and laid out in arrays of one fixed shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import grain
import numpy as np

from softnce_jax.data.duplicates import answer_keys, text_keys
from softnce_jax.data.pairs import Candidate, Pair

if TYPE_CHECKING:
    from softnce_jax.dataflow.example import Example, GraphRows
    from softnce_jax.dataflow.store import GraphCodes


class Batch(NamedTuple):
    """What one step reads. Features are None where no estimator is used.

    The candidates of a row lie together, N / B of them: its own, then its hard negatives. So their
    order is the same on any number of hosts and devices.
    """

    query_ids: np.ndarray  # (B, L) int32
    code_ids: np.ndarray | GraphRows  # (N, L) int32; with data flow where the encoder reads it
    query_features: np.ndarray | None  # (B, F) float32
    code_features: np.ndarray | None  # (N, F) float32
    query_keys: np.ndarray | None = None  # (B,) int32, equal where the texts are
    code_keys: np.ndarray | None = None  # (N,) int32
    answers: np.ndarray | None = None  # (N, P) int32, keys of the queries that a candidate answers


# The features (a, b) of a batch from the indices of its pairs (B,), the ragged token ids of their
# queries, and the indices of the pairs whose functions are this host's candidates (n,).
Features = Callable[[np.ndarray, list[list[int]], np.ndarray], tuple[np.ndarray, np.ndarray]]


class Layout(NamedTuple):
    """How texts become rows: the tokenizer, the padded lengths, and code's data flow if any."""

    tokenizer: object  # encoders.tokenize.Tokenizer, which this module need not import
    query_length: int
    code_length: int
    graphs: GraphCodes | None = None

    def queries(self, texts: Sequence[str]) -> list[list[int]]:
        """Ragged token ids of queries."""
        return self.tokenizer.tokenize(texts, self.query_length)

    def codes(self, rows: Sequence[Pair | Candidate]) -> list[list[int]] | list[Example]:
        """Ragged token ids of functions, or with a graph each."""
        if self.graphs is not None:
            return self.graphs(rows)
        return self.tokenizer.tokenize([row.code for row in rows], self.code_length)

    def pad_codes(self, ragged: list[list[int]] | list[Example]) -> np.ndarray | GraphRows:
        """What `codes` gave, in arrays of one shape."""
        if self.graphs is not None:
            return self.graphs.pad(ragged)
        return self.tokenizer.pad(ragged, self.code_length)


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
    layout: Layout,
    features: Features | None = None,
    *,
    keys: bool = False,
    negatives: np.ndarray | None = None,
    shard: tuple[int, int] = (0, 1),
) -> grain.MapDataset:
    """Lays batches out: element n is this host's rows of batch n.

    Every host tokenizes all queries of the batch, so that in-batch statistics are those of the
    global batch, but only its own share of the code.

    Args:
      indices: as made by `batch_indices`.
      pairs: the training split.
      layout: tokenizer and lengths.
      features: the estimator's features, None for none.
      keys: whether to add the keys of the texts, which tell duplicates.
      negatives: the pairs whose functions are hard negatives of each pair, (R, K) indices; None for
        none.
      shard: (index, count) of this host.

    Returns:
      A MapDataset of Batch with B / count rows and (1 + K) · B / count candidates.
    """
    answer_RP = answer_keys(pairs) if keys else None

    def lay_out(index_B: np.ndarray) -> Batch:
        share = len(index_B) // shard[1]
        own = slice(shard[0] * share, (shard[0] + 1) * share)
        queries = layout.queries([pairs[i].query for i in index_B])
        index_N = with_negatives(index_B[own], negatives)
        candidates = [pairs[i] for i in index_N]
        a_BF, b_NF = features(index_B, queries, index_N) if features else (None, None)
        return Batch(
            layout.tokenizer.pad(queries[own], layout.query_length),
            layout.pad_codes(layout.codes(candidates)),
            None if a_BF is None else a_BF[own],
            b_NF,
            text_keys([pairs[i].query for i in index_B[own]]) if keys else None,
            text_keys([pair.code for pair in candidates]) if keys else None,
            answer_RP[index_N] if keys else None,
        )

    return indices.map(lay_out)


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
