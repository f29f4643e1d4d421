"""What a sentence encoder is judged by without code: alignment and uniformity of queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.data.queries import different_queries, paraphrases
from softnce_jax.encoders.dropout import GENERATOR
from softnce_jax.encoders.embed import Embedder
from softnce_jax.retrieval.uniformity import alignment, uniformity


class SentenceTask:
    """Alignment and uniformity of the different queries of a split; tokenizes once.

    Attributes:
      queries: one pair for each different query.
      positives: what alignment is over: "two queries with the same code", and where the split has
        none, "two dropout passes" of each query.
      positive_pairs: how many.
    """

    def __init__(self, pairs: Sequence[Pair], embedder: Embedder):
        encoder = embedder.encoder
        self.queries = different_queries(pairs)
        self._embedder = embedder
        texts = [pair.query for pair in self.queries]
        self._query_ids = encoder.tokenizer.tokenize(texts, encoder.query_length)
        self._paraphrases = np.array(paraphrases(pairs, self.queries), int).reshape(-1, 2)
        self._dropping = []
        self.positives = "two queries with the same code"
        self.positive_pairs = len(self._paraphrases)
        if not self.positive_pairs:
            self.positives, self.positive_pairs = "two dropout passes", len(self.queries)
            keys = jax.random.split(jax.random.key(0, impl=GENERATOR))
            self._dropping = [Embedder(encoder, embedder.mesh, key=key) for key in keys]

    def measure(self, params: Any) -> dict[str, float]:
        """Alignment (alpha 2) of the positive pairs and uniformity (t 2) of all queries."""
        x_QD = self._embedder(params, self._query_ids)
        if self._dropping:
            a_PD, b_PD = (embedder(params, self._query_ids) for embedder in self._dropping)
        else:
            a_PD, b_PD = (x_QD[places_P] for places_P in self._paraphrases.T)
        return {
            "alignment": float(alignment(a_PD, b_PD)),
            "uniformity": float(uniformity(x_QD)),
        }
