"""A retrieval task: the queries of a split, the candidates, and which answers which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh

from softnce_jax.data.corpus import Candidate, Pair
from softnce_jax.encoders.embed import Embedder
from softnce_jax.retrieval.bm25 import bm25_ranks
from softnce_jax.retrieval.kept import all_vectors
from softnce_jax.retrieval.metrics import Ranks
from softnce_jax.retrieval.ranking import graded, vector_ranks
from softnce_jax.train.batches import Layout


class RetrievalTask:
    """Ranks the candidates for each query, by vectors or by BM25; tokenizes once."""

    def __init__(self, pairs: Sequence[Pair], candidates: Sequence[Candidate], layout: Layout):
        self.pairs, self.candidates = pairs, candidates
        self._layout = layout
        self.relevant_QG, self.grade_QG = graded(pairs, candidates)
        self._query_ids = layout.queries([pair.query for pair in pairs])
        self._code_ids = layout.codes(candidates)

    def vectors(
        self, embedder: Embedder, params: Any, unfinished: Path | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(Q, D) of the queries and (M, D) of the candidates.

        With a folder for unfinished work they are made by blocks that stay there.
        """
        return tuple(
            all_vectors(embedder, params, rows, folder=unfinished, what=what)
            for rows, what in ((self._query_ids, "queries"), (self._code_ids, "candidates"))
        )

    def ranks(self, embedder: Embedder, params: Any) -> Ranks:
        """Ranks by the dot product of the vectors."""
        return self.vector_ranks(*self.vectors(embedder, params), embedder.mesh)

    def vector_ranks(self, q_QD: np.ndarray, c_MD: np.ndarray, mesh: Mesh) -> Ranks:
        """Ranks by the dot product of vectors that are there already."""
        return vector_ranks(q_QD, c_MD, self.relevant_QG, self.grade_QG, mesh=mesh)

    def bm25_ranks(self) -> Ranks:
        """Ranks by BM25 over words."""
        queries = [pair.query for pair in self.pairs]
        codes = [candidate.code for candidate in self.candidates]
        return bm25_ranks(queries, codes, self.relevant_QG, self.grade_QG)
