"""Batches: batch n is a pure function of (seed, n), on any number of hosts and workers.

The indices of a batch are drawn at random over the whole epoch, never by length, because the
other pairs of the batch are the negatives. Then the texts are tokenized, in the loader's threads,
and laid out in arrays of one fixed shape.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import grain
import numpy as np

from softnce_jax.data.pairs import Candidate, Pair

if TYPE_CHECKING:
    from softnce_jax.dataflow.example import Example, GraphRows
    from softnce_jax.dataflow.store import GraphCodes


class Batch(NamedTuple):
    """What one step reads. Features are None where no estimator is used."""

    query_ids: np.ndarray  # (B, L) int32
    code_ids: np.ndarray | GraphRows  # (N, L) int32; with data flow where the encoder reads it
    query_features: np.ndarray | None  # (B, F) float32
    code_features: np.ndarray | None  # (N, F) float32
    query_keys: np.ndarray | None = None  # (B,) int32, equal where the texts are
    code_keys: np.ndarray | None = None  # (N,) int32


# The features (a, b) of a batch from its indices (B,) and the ragged token ids of its queries.
Features = Callable[[np.ndarray, list[list[int]]], tuple[np.ndarray, np.ndarray]]


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
      shard: (index, count) of this host.

    Returns:
      A MapDataset of Batch with B / count rows.
    """

    def lay_out(index_B: np.ndarray) -> Batch:
        share = len(index_B) // shard[1]
        own = slice(shard[0] * share, (shard[0] + 1) * share)
        rows = [pairs[i] for i in index_B]
        queries = layout.queries([pair.query for pair in rows])
        codes = layout.codes(rows[own])
        a_BF, b_NF = features(index_B, queries) if features else (None, None)
        return Batch(
            layout.tokenizer.pad(queries[own], layout.query_length),
            layout.pad_codes(codes),
            None if a_BF is None else a_BF[own],
            None if b_NF is None else b_NF[own],
            text_keys([pair.query for pair in rows[own]]) if keys else None,
            text_keys([pair.code for pair in rows[own]]) if keys else None,
        )

    return indices.map(lay_out)


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """A 32-bit hash of each text, the same on every host and in every run.

    Two of a batch of 1,024 texts that differ have the same key in one batch of 8,000, and a row
    then lacks one negative.

    Example:
      >>> a, b, c = text_keys(["sort a list", "open a file", "sort a list"])
      >>> bool(a == c), bool(a == b)
      (True, False)
    """
    digests = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=4) for t in texts)
    return np.frombuffer(b"".join(d.digest() for d in digests), "<i4")


def load_ahead(dataset: grain.MapDataset, start: int):
    """Iterates over `dataset[start:]`, threads reading ahead of the caller, in order."""
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=4)
    return iter(dataset[start:].to_iter_dataset(options))
