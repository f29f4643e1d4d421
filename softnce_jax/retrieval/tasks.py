"""Retrieval tasks: queries, the candidates they search, and how rankings of them are scored.

A `RetrievalTask` ranks by vectors or BM25. Evaluations are of a `SplitTask`, the queries of a
split, or of a `GradedTask`, queries with grades that people gave; training of a sentence encoder
measures a `SentenceTask`.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from softnce_jax.data.corpus import (
    Candidate,
    Corpus,
    Pair,
    RowErrors,
    paraphrases,
    unique_queries,
)
from softnce_jax.encoders.dropout import GENERATOR
from softnce_jax.encoders.embed import Embedder, embed_all, unfinished_folder
from softnce_jax.encoders.processor import Processor
from softnce_jax.errors import InputError
from softnce_jax.retrieval.bm25 import bm25_ranks, bm25_top
from softnce_jax.retrieval.metrics import Ranks, query_metrics
from softnce_jax.retrieval.per_query import query_hashes
from softnce_jax.retrieval.qrels import (
    NDCG_DEPTH,
    graded_candidates,
    graded_ndcg,
    read_qrels,
    write_qrels,
    write_run,
)
from softnce_jax.retrieval.ranking import relevance, top_candidates, vector_ranks
from softnce_jax.retrieval.results import protocol
from softnce_jax.retrieval.uniformity import alignment, uniformity

__all__ = ["GradedTask", "RetrievalTask", "SentenceTask", "SplitTask", "choose_split"]


class RetrievalTask:
    """Ranks the candidates for each query, by vectors or by BM25; tokenizes once."""

    def __init__(
        self, pairs: Sequence[Pair], candidates: Sequence[Candidate], processor: Processor
    ):
        self.pairs, self.candidates = pairs, candidates
        self.relevant_QG, self.grade_QG = relevance(pairs, candidates)
        self._query_ids = processor.queries([pair.query for pair in pairs])
        self._code_ids = processor.codes(candidates)

    def vectors(
        self, embedder: Embedder, params: Any, unfinished: Path | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(Q, D) of the queries and (M, D) of the candidates.

        With a folder for unfinished work, finished blocks of vectors are stored there and read
        again by the next call.
        """
        return tuple(
            embed_all(embedder, params, rows, folder=unfinished, title=title)
            for rows, title in ((self._query_ids, "queries"), (self._code_ids, "candidates"))
        )

    def ranks(self, embedder: Embedder, params: Any) -> Ranks:
        """Ranks by the dot product of the vectors that an encoder gives."""
        return self.vector_ranks(*self.vectors(embedder, params), embedder.mesh)

    def vector_ranks(self, q_QD: np.ndarray, c_MD: np.ndarray, mesh: Mesh) -> Ranks:
        """Ranks by the dot product of vectors made before."""
        return vector_ranks(q_QD, c_MD, self.relevant_QG, self.grade_QG, mesh=mesh)

    def bm25_ranks(self) -> Ranks:
        """Ranks by BM25 over words."""
        queries = [pair.query for pair in self.pairs]
        codes = [candidate.code for candidate in self.candidates]
        return bm25_ranks(queries, codes, self.relevant_QG, self.grade_QG)


class SplitTask:
    """The queries of a split, and the candidates of its language.

    Attributes:
      language: of the corpus.
    """

    def __init__(self, corpus: Corpus, split: str, depth: int):
        """Of the split's name, and the number of candidates of a query in the run files."""
        self.language = corpus.language
        self._corpus, self._split, self._depth = corpus, split, depth
        self._pairs = getattr(corpus, split)

    def describe(self) -> str:
        """A line on the queries and candidates."""
        return (
            f"{self._corpus.name}, {self.language}: {len(self._pairs)} {self._split} queries, "
            f"{len(self._corpus.codebase)} candidates"
        )

    def score(
        self, embedder: Embedder, params: Any, processor: Processor, out: Path
    ) -> dict[str, dict]:
        """Metrics of every query for BM25 and the model; writes their runs and the qrels."""
        task = RetrievalTask(self._pairs, self._corpus.codebase, processor)
        q_QD, c_MD = task.vectors(embedder, params, unfinished_folder(out))
        self._write_trec(out / self.language, task, q_QD, c_MD)
        return {
            "BM25": query_metrics(task.bm25_ranks()),
            "model": query_metrics(task.vector_ranks(q_QD, c_MD, embedder.mesh)),
        }

    def protocol(self) -> dict:
        """What the numbers depend on, for results.json."""
        return {"split": self._split} | protocol(
            queries=len(self._pairs),
            candidates=len(self._corpus.codebase),
            data_hash=self._corpus.hash(),
            data=self._corpus.protocol,
        )

    def hashes(self) -> dict[str, np.ndarray]:
        """Which queries are the same, for queries.npz."""
        return query_hashes(self._pairs)

    def _write_trec(
        self, folder: Path, task: RetrievalTask, q_QD: np.ndarray, c_MD: np.ndarray
    ) -> None:
        # A url may have several queries, so a query's id is its index.
        query_ids = [f"q{index}" for index in range(len(self._pairs))]
        urls = [candidate.url for candidate in self._corpus.codebase]
        queries = [pair.query for pair in self._pairs]
        codes = [candidate.code for candidate in self._corpus.codebase]
        top = {
            "BM25": bm25_top(queries, codes, self._depth),
            "model": top_candidates(q_QD, c_MD, self._depth),
        }
        for name, best in top.items():
            write_run(folder / f"{name.lower()}.run", query_ids, urls, *best, name=name)
        write_qrels(folder / "qrels", query_ids, urls, task.relevant_QG, task.grade_QG)


class GradedTask:
    """Queries of one language with graded functions, and the candidates that they search.

    Attributes:
      language: of the corpus.
    """

    def __init__(self, path: Path, corpus: Corpus, *, strict: bool = False):
        """Of the file of grades; its rows that cannot be used are left out, or (strict) errors.

        Raises InputError where no relevant function is a candidate.
        """
        self.language = corpus.language
        self._corpus = corpus
        self._row_errors = RowErrors(strict=strict)
        self._qrels = read_qrels(path, corpus.language, self._row_errors)
        self._file_hash = hashlib.sha256(path.read_bytes()).hexdigest()
        self._graded_QG, self._grade_QG = graded_candidates(self._qrels, corpus.codebase)
        self._relevant_Q = (self._grade_QG > 0).any(axis=1)
        if not (self._grade_QG[self._graded_QG >= 0] > 0).any():
            raise InputError(
                f"{path}: none of the relevant functions of {len(self._qrels.queries)} queries "
                f"is among the {len(corpus.codebase)} candidates of {corpus.name}"
            )

    def describe(self) -> str:
        """A line: queries, candidates, how many graded functions can be found, skipped rows."""
        covered, judged = self._coverage()
        return (
            f"{self._corpus.name}, {self.language}: {len(self._qrels.queries)} judged queries, "
            f"{len(self._corpus.codebase)} candidates, {covered} of {judged} judged functions "
            "among them" + "".join(f"; {line}" for line in self._row_errors.lines())
        )

    def score(
        self, embedder: Embedder, params: Any, processor: Processor, out: Path
    ) -> dict[str, dict]:
        """Metrics of every query that has a relevant function, for BM25 and the model."""
        queries, codebase = self._qrels.queries, self._corpus.codebase
        embed = functools.partial(embed_all, embedder, params, folder=unfinished_folder(out))
        q_QD = embed(processor.queries(queries), title="queries")
        c_MD = embed(processor.codes(codebase), title="candidates")
        # nDCG takes the ranks alone; its grades, which are no integers, come in afterwards.
        graded = (self._graded_QG, np.zeros(self._graded_QG.shape, np.int32))
        ranks = {
            "BM25": bm25_ranks(queries, [candidate.code for candidate in codebase], *graded),
            "model": vector_ranks(q_QD, c_MD, *graded, mesh=embedder.mesh),
        }
        return {
            name: graded_ndcg((best_QG + worst_QG) / 2, self._grade_QG)
            for name, (best_QG, worst_QG, _) in ranks.items()
        }

    def protocol(self) -> dict:
        """What the numbers depend on, for results.json."""
        covered, judged = self._coverage()
        return protocol(
            queries=int(self._relevant_Q.sum()),
            candidates=len(self._corpus.codebase),
            data_hash=self._corpus.hash(),
            data=self._corpus.protocol,
        ) | {
            "judgements_hash": self._file_hash,
            "judged": judged,
            "judged_candidates": covered,
            "cut": f"places beyond {NDCG_DEPTH} count nothing",
            "gain": "2^grade - 1",
        }

    def hashes(self) -> dict[str, np.ndarray]:
        """Which queries are the same, for queries.npz."""
        texts = np.array(self._qrels.queries, object)[self._relevant_Q]
        return query_hashes([Pair(text, "", text, self.language) for text in texts])

    def _coverage(self) -> tuple[int, int]:
        """The number of graded functions that are candidates, and of all."""
        return int(np.sum(self._graded_QG >= 0)), sum(map(len, self._qrels.grades))


class SentenceTask:
    """Alignment and uniformity of the different queries of a split; tokenizes once.

    Attributes:
      queries: one pair for each different query.
      positives: what alignment is over: "two queries with the same code", and where the split has
        none, "two dropout passes" of each query.
      positive_pairs: their number.
    """

    def __init__(self, pairs: Sequence[Pair], embedder: Embedder):
        encoder = embedder.encoder
        self.queries = unique_queries(pairs)
        self._embedder = embedder
        texts = [pair.query for pair in self.queries]
        self._query_ids = Processor.of(encoder).queries(texts)
        self._paraphrases = np.array(paraphrases(pairs, self.queries), int).reshape(-1, 2)
        self._with_dropout: list[Embedder] = []
        self.positives = "two queries with the same code"
        self.positive_pairs = len(self._paraphrases)
        if not self.positive_pairs:
            self.positives, self.positive_pairs = "two dropout passes", len(self.queries)
            keys = jax.random.split(jax.random.key(0, impl=GENERATOR))
            self._with_dropout = [Embedder(encoder, embedder.mesh, key=key) for key in keys]

    def measure(self, params: Any) -> dict[str, float]:
        """Alignment (alpha 2) of the positive pairs and uniformity (t 2) of all queries."""
        x_QD = self._embedder(params, self._query_ids)
        if self._with_dropout:
            a_PD, b_PD = (embedder(params, self._query_ids) for embedder in self._with_dropout)
        else:
            a_PD, b_PD = (x_QD[index_P] for index_P in self._paraphrases.T)
        return {
            "alignment": float(alignment(a_PD, b_PD)),
            "uniformity": float(uniformity(x_QD)),
        }


def choose_split(corpus: Corpus, split: str | None) -> str:
    """The split asked for, or the first of test and valid that has queries.

    Raises:
      InputError: it has none.
    """
    for name in [split] if split else ["test", "valid"]:
        if getattr(corpus, name):
            return name
    skipped = "; ".join(corpus.row_errors.lines())
    asked = f"the {split} split" if split else "test or valid"
    raise InputError(f"{corpus.name}: no {corpus.language} queries in {asked} {skipped}".strip())
