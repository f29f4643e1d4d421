"""Scoring a model and BM25 against human judgements."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from softnce_jax.data.corpus import Corpus, Pair
from softnce_jax.encoders.embed import Embedder
from softnce_jax.errors import InputError
from softnce_jax.retrieval.bm25 import bm25_ranks
from softnce_jax.retrieval.judged import DEPTH, judged_ndcg, judged_places
from softnce_jax.retrieval.kept import all_vectors, unfinished_of
from softnce_jax.retrieval.metrics import Ranks
from softnce_jax.retrieval.per_query import names_of
from softnce_jax.retrieval.qrels import read_judgements
from softnce_jax.retrieval.ranking import vector_ranks
from softnce_jax.retrieval.results import protocol
from softnce_jax.train.batches import Layout


class JudgedTask:
    """Judged queries of one language and the candidates that they search."""

    def __init__(self, path: Path, corpus: Corpus):
        """Raises InputError where nothing that was judged relevant is a candidate."""
        self.corpus, self.language = corpus, corpus.language
        self.judgements = read_judgements(path, corpus.language)
        self.file_hash = hashlib.sha256(path.read_bytes()).hexdigest()
        self.judged_QG, self.grade_QG = judged_places(self.judgements, corpus.codebase)
        if not (self.grade_QG[self.judged_QG >= 0] > 0).any():
            raise InputError(
                f"{path}: none of the relevant functions of {len(self.judgements.queries)} queries "
                f"is among the {len(corpus.codebase)} candidates of {corpus.name}"
            )

    def about(self) -> str:
        """What is asked and searched, and how much of what was judged can be found."""
        covered, judged = self._coverage()
        return (
            f"{self.corpus.name}, {self.language}: {len(self.judgements.queries)} judged queries, "
            f"{len(self.corpus.codebase)} candidates, {covered} of {judged} judged functions among "
            "them"
        )

    def score(self, embedder: Embedder, params: Any, layout: Layout, out: Path) -> dict[str, dict]:
        """Metrics of every query that has a relevant function, for BM25 and the model."""
        queries, codebase = self.judgements.queries, self.corpus.codebase
        places = (self.judged_QG, np.zeros(self.judged_QG.shape, np.int32))
        of = functools.partial(all_vectors, embedder, params, folder=unfinished_of(out))
        q_QD = of(layout.queries(queries), what="queries")
        c_MD = of(layout.codes(codebase), what="candidates")
        ranks = {
            "BM25": bm25_ranks(queries, [candidate.code for candidate in codebase], *places),
            "model": vector_ranks(q_QD, c_MD, *places, mesh=embedder.mesh),
        }
        return {name: self._values(found) for name, found in ranks.items()}

    def protocol(self) -> dict:
        """What the numbers depend on, for results.json."""
        covered, judged = self._coverage()
        return protocol(
            queries=int(self._relevant_Q().sum()),
            candidates=len(self.corpus.codebase),
            data_hash=self.corpus.hash(),
            data=self.corpus.protocol,
        ) | {
            "judgements_hash": self.file_hash,
            "judged": judged,
            "judged_candidates": covered,
            "cut": f"places beyond {DEPTH} count nothing",
            "gain": "2^grade - 1",
        }

    def names(self) -> dict[str, np.ndarray]:
        """Which queries are the same, for queries.npz."""
        texts = np.array(self.judgements.queries, object)[self._relevant_Q()]
        return names_of([Pair(text, "", text, self.language) for text in texts])

    def _coverage(self) -> tuple[int, int]:
        return int(np.sum(self.judged_QG >= 0)), sum(map(len, self.judgements.grades))

    def _relevant_Q(self) -> np.ndarray:
        return (self.grade_QG > 0).any(axis=1)

    def _values(self, ranks: Ranks) -> dict[str, np.ndarray]:
        return judged_ndcg((ranks.best_QG + ranks.worst_QG) / 2, self.grade_QG)
