"""Evaluating any model on any data: results.json, and TREC run and qrels files."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from softnce_jax.data.corpus import Corpus
from softnce_jax.data.sources import load_corpora
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh
from softnce_jax.pretrained.load import load
from softnce_jax.retrieval.bm25 import bm25_top
from softnce_jax.retrieval.kept import UNFINISHED, unfinished_of
from softnce_jax.retrieval.metrics import per_query
from softnce_jax.retrieval.per_query import Queries, names_of, write_queries
from softnce_jax.retrieval.results import protocol
from softnce_jax.retrieval.tasks import RetrievalTask
from softnce_jax.retrieval.top import top_candidates
from softnce_jax.retrieval.trec import write_qrels, write_run
from softnce_jax.train.batches import Layout
from softnce_jax.train.checkpoint import Checkpoints, read_config
from softnce_jax.train.config import Config, EvaluateConfig
from softnce_jax.train.fit import start
from softnce_jax.train.judge import JudgedTask
from softnce_jax.train.loop import schedule_of
from softnce_jax.train.report import show, summaries, versions
from softnce_jax.train.run_folder import write_json
from softnce_jax.train.setup import build_encoder, make_layout, read_data


def evaluate(config: EvaluateConfig, say: Callable[[str], None] = print) -> dict:
    """Scores a model and BM25 on a split or on judgements; writes results.json and queries.npz.

    Vectors are kept in the output folder until the end, so the same command goes on where it was.

    Raises:
      InputError: a model or data that cannot be used, before any work.
    """
    if config.judgements and config.split:
        raise InputError(f"--split {config.split}: judged queries are in no split")
    corpora, notes = load_corpora(config.data, config.lang, strict=config.strict)
    tasks = [make_task(config, corpus) for corpus in corpora]
    encoder, params = open_model(config)
    encoder = dataclasses.replace(
        encoder,
        query_length=config.query_length or encoder.query_length,
        code_length=config.code_length or encoder.code_length,
    )
    for line in notes:
        say(line)
    layout = make_layout(encoder, (c.codebase for c in corpora), config.data, say)
    name = Path(config.model).resolve().name if Path(config.model).exists() else config.model
    kind = "judged" if config.judgements else "evaluate"
    out = Path(config.out or f"runs/{kind}-{name.replace('/', '_')}-{config.lang}")
    out.mkdir(parents=True, exist_ok=True)
    embedder = Embedder(encoder, make_mesh())
    values: dict[str, dict] = {}
    for task in tasks:
        say(task.about())
        values[task.language] = task.score(embedder, params, layout, out)
    write_queries(out, Queries(values, {task.language: task.names() for task in tasks}))
    results = {
        "config": dataclasses.asdict(config),
        "protocol": {task.language: task.protocol() for task in tasks},
        "metrics": summaries(values, seed=config.seed),
        "versions": versions(),
    }
    write_json(out / "results.json", results)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    show(results, out, say)
    return results


def make_task(config: EvaluateConfig, corpus: Corpus) -> SplitTask | JudgedTask:
    """What the flags ask for of one language."""
    if config.judgements:
        return JudgedTask(Path(config.judgements), corpus)
    return SplitTask(corpus, choose_split(corpus, config.split), config.depth)


def choose_split(corpus: Corpus, split: str | None) -> str:
    """The split asked for, or the first of test and valid that has queries."""
    for name in [split] if split else ["test", "valid"]:
        if getattr(corpus, name):
            return name
    skipped = "; ".join(corpus.problems.lines())
    asked = f"the {split} split" if split else "test or valid"
    raise InputError(f"{corpus.name}: no {corpus.language} queries in {asked} {skipped}".strip())


def open_model(config: EvaluateConfig) -> tuple[Encoder, Any]:
    """The encoder and parameters of a run folder, a checkpoint of it, a folder or a Hub id."""
    path = Path(config.model)
    if path.name.isdigit() and path.parent.name == "checkpoints":
        return open_checkpoint(path, config)
    return load(config.model, dtype=config.precision, download=config.download)


def open_checkpoint(path: Path, config: EvaluateConfig) -> tuple[Encoder, Any]:
    """The encoder and parameters of `RUN/checkpoints/STEP`, on any number of devices."""
    if not path.is_dir():
        raise InputError(f"{path}: no such checkpoint")
    stored = read_config(path.parent, int(path.name))
    names = [field.name for field in dataclasses.fields(Config)]
    if missing := [name for name in names if name not in stored]:
        raise InputError(
            f"{path}: not a checkpoint of fine-tuning (its configuration has no {missing[0]}); "
            "name a finished run or its model/"
        )
    given = {name: stored[name] for name in names}
    given |= {"precision": config.precision, "download": config.download}
    data = read_data(Config(**given))
    encoder, initial = build_encoder(data)
    embedder = Embedder(encoder, data.mesh)
    state, _ = start(data, embedder, initial, schedule_of(data.config, len(data.train)))
    checkpoints = Checkpoints(path.parent, stored)
    try:
        return encoder, checkpoints.restore_step(int(path.name), state).state.params
    finally:
        checkpoints.close()


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

    def score(self, embedder: Embedder, params: Any, layout: Layout, out: Path) -> dict[str, dict]:
        """Metrics of every query for BM25 and the model; writes their runs and the qrels."""
        folder = out / self.language
        folder.mkdir(parents=True, exist_ok=True)
        task = RetrievalTask(self.pairs, self.corpus.codebase, layout)
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
