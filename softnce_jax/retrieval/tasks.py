"""A retrieval task: the queries of a split, the candidates, and which answers which."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from softnce_jax.data.corpus import Candidate, Corpus, Pair, different_queries, paraphrases
from softnce_jax.encoders.dropout import GENERATOR
from softnce_jax.encoders.embed import Embedder, all_vectors, unfinished_of
from softnce_jax.encoders.processor import Processor
from softnce_jax.errors import InputError
from softnce_jax.retrieval.bm25 import bm25_ranks, bm25_top
from softnce_jax.retrieval.metrics import Ranks, per_query
from softnce_jax.retrieval.per_query import names_of
from softnce_jax.retrieval.qrels import (
    DEPTH,
    judged_ndcg,
    judged_places,
    read_judgements,
    write_qrels,
    write_run,
)
from softnce_jax.retrieval.ranking import graded, top_candidates, vector_ranks
from softnce_jax.retrieval.results import protocol
from softnce_jax.retrieval.uniformity import alignment, uniformity


class RetrievalTask:
    """Ranks the candidates for each query, by vectors or by BM25; tokenizes once."""

    def __init__(
        self, pairs: Sequence[Pair], candidates: Sequence[Candidate], processor: Processor
    ):
        self.pairs, self.candidates = pairs, candidates
        self.relevant_QG, self.grade_QG = graded(pairs, candidates)
        self._query_ids = processor.queries([pair.query for pair in pairs])
        self._code_ids = processor.codes(candidates)

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


class GradedTask:
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

    def score(
        self, embedder: Embedder, params: Any, processor: Processor, out: Path
    ) -> dict[str, dict]:
        """Metrics of every query that has a relevant function, for BM25 and the model."""
        queries, codebase = self.judgements.queries, self.corpus.codebase
        places = (self.judged_QG, np.zeros(self.judged_QG.shape, np.int32))
        of = functools.partial(all_vectors, embedder, params, folder=unfinished_of(out))
        q_QD = of(processor.queries(queries), what="queries")
        c_MD = of(processor.codes(codebase), what="candidates")
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


class SplitTask:
    """The queries of a split and the candidates of its language."""

    def __init__(self, corpus: Corpus, split: str, depth: int):
        self.corpus, self.split, self.depth = corpus, split, depth
        self.language = corpus.language
        self.pairs = getattr(corpus, split)

    def about(self) -> str:
        """What is asked and searched."""
        return (
            f"{self.corpus.name}, {self.language}: {len(self.pairs)} {self.split} queries, "
            f"{len(self.corpus.codebase)} candidates"
        )

    def score(
        self, embedder: Embedder, params: Any, processor: Processor, out: Path
    ) -> dict[str, dict]:
        """Metrics of every query for BM25 and the model; writes their runs and the qrels."""
        folder = out / self.language
        folder.mkdir(parents=True, exist_ok=True)
        task = RetrievalTask(self.pairs, self.corpus.codebase, processor)
        q_QD, c_MD = task.vectors(embedder, params, unfinished_of(out))
        self._write_trec(folder, task, q_QD, c_MD)
        places = task.vector_ranks(q_QD, c_MD, embedder.mesh)
        return {"BM25": per_query(task.bm25_ranks()), "model": per_query(places)}

    def protocol(self) -> dict:
        """What the numbers depend on, for results.json."""
        return {"split": self.split} | protocol(
            queries=len(self.pairs),
            candidates=len(self.corpus.codebase),
            data_hash=self.corpus.hash(),
            data=self.corpus.protocol,
        )

    def names(self) -> dict[str, np.ndarray]:
        """Which queries are the same, for queries.npz."""
        return names_of(self.pairs)

    def _write_trec(self, folder: Path, task: RetrievalTask, q_QD, c_MD) -> None:
        # A url may have several queries, so a query's id is its place.
        query_ids = [f"q{number}" for number in range(len(self.pairs))]
        urls = [candidate.url for candidate in self.corpus.codebase]
        queries = [pair.query for pair in self.pairs]
        codes = [candidate.code for candidate in self.corpus.codebase]
        depth = self.depth
        top = {"BM25": bm25_top(queries, codes, depth), "model": top_candidates(q_QD, c_MD, depth)}
        for name, found in top.items():
            write_run(folder / f"{name.lower()}.run", query_ids, urls, *found, name=name)
        write_qrels(folder / "qrels", query_ids, urls, task.relevant_QG, task.grade_QG)


def choose_split(corpus: Corpus, split: str | None) -> str:
    """The split asked for, or the first of test and valid that has queries."""
    for name in [split] if split else ["test", "valid"]:
        if getattr(corpus, name):
            return name
    skipped = "; ".join(corpus.problems.lines())
    asked = f"the {split} split" if split else "test or valid"
    raise InputError(f"{corpus.name}: no {corpus.language} queries in {asked} {skipped}".strip())
