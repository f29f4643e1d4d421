"""Evaluating any model on any data: results.json, and TREC run and qrels files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from softnce_jax.data.pairs import Corpus
from softnce_jax.data.sources import load_corpora
from softnce_jax.encoders.checkpoints import load
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.errors import InputError
from softnce_jax.retrieval.bm25 import bm25_top
from softnce_jax.retrieval.embed import Embedder
from softnce_jax.retrieval.evaluate import vector_ranks
from softnce_jax.retrieval.metrics import per_query
from softnce_jax.retrieval.results import protocol
from softnce_jax.retrieval.task import RetrievalTask
from softnce_jax.retrieval.top import top_candidates
from softnce_jax.retrieval.trec import write_qrels, write_run
from softnce_jax.train.checkpoint import Checkpoints, read_config
from softnce_jax.train.config import Config, EvaluateConfig
from softnce_jax.train.devices import make_mesh
from softnce_jax.train.fit import start
from softnce_jax.train.loop import schedule_of
from softnce_jax.train.queries import Queries, names_of, write_queries
from softnce_jax.train.results import show, summaries, versions
from softnce_jax.train.run import write_json
from softnce_jax.train.setup import build_encoder, make_layout, prepare_data


def evaluate(config: EvaluateConfig, say: Callable[[str], None] = print) -> dict:
    """Scores a model and BM25; writes results.json, and a run and qrels for each language.

    Raises:
      InputError: a model or data that cannot be used, before any work.
    """
    corpora, notes = load_corpora(config.data, config.lang, strict=config.strict)
    chosen = [(corpus, choose_split(corpus, config.split)) for corpus in corpora]
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
    out = Path(config.out or f"runs/evaluate-{name.replace('/', '_')}-{config.lang}")
    embedder = Embedder(encoder, make_mesh())
    values: dict[str, dict] = {}
    protocols = {}
    for corpus, split in chosen:
        pairs = getattr(corpus, split)
        say(f"{corpus.name}, {corpus.language}: {len(pairs)} {split} queries, "
            f"{len(corpus.codebase)} candidates")  # fmt: skip
        task = RetrievalTask(pairs, corpus.codebase, layout)
        values[corpus.language] = score(task, embedder, params, out, config.depth)
        protocols[corpus.language] = {"split": split} | protocol(
            queries=len(pairs),
            candidates=len(corpus.codebase),
            data_hash=corpus.hash(),
            data=corpus.protocol,
        )
    names = {corpus.language: names_of(getattr(corpus, split)) for corpus, split in chosen}
    write_queries(out, Queries(values, names))
    results = {
        "config": dataclasses.asdict(config),
        "protocol": protocols,
        "metrics": summaries(values, seed=config.seed),
        "versions": versions(),
    }
    write_json(out / "results.json", results)
    show(results, out, say)
    return results


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
        return open_checkpoint(path)
    return load(config.model, dtype=config.precision, download=config.download)


def open_checkpoint(path: Path) -> tuple[Encoder, Any]:
    """The encoder and parameters of `RUN/checkpoints/STEP`."""
    if not path.is_dir():
        raise InputError(f"{path}: no such checkpoint")
    stored = read_config(path.parent, int(path.name))
    names = [field.name for field in dataclasses.fields(Config)]
    if missing := [name for name in names if name not in stored]:
        raise InputError(
            f"{path}: not a checkpoint of fine-tuning (its configuration has no {missing[0]}); "
            "name a finished run or its model/"
        )
    data = prepare_data(Config(**{name: stored[name] for name in names}))
    encoder, initial = build_encoder(data)
    embedder = Embedder(encoder, data.mesh)
    state, _ = start(data, embedder, initial, schedule_of(data.config, len(data.train)))
    checkpoints = Checkpoints(path.parent, stored)
    try:
        return encoder, checkpoints.restore_step(int(path.name), state).state.params
    finally:
        checkpoints.close()


def score(task: RetrievalTask, embedder: Embedder, params: Any, out: Path, depth: int) -> dict:
    """Metrics of every query for BM25 and the model; writes their runs and the qrels."""
    language = task.candidates[0].language
    folder = out / language
    folder.mkdir(parents=True, exist_ok=True)
    # A url may have several queries, so a query's id is its place.
    query_ids = [f"q{number}" for number in range(len(task.pairs))]
    urls = [candidate.url for candidate in task.candidates]
    q_QD, c_MD = task.vectors(embedder, params)
    queries = [pair.query for pair in task.pairs]
    codes = [candidate.code for candidate in task.candidates]
    top = {"BM25": bm25_top(queries, codes, depth), "model": top_candidates(q_QD, c_MD, depth)}
    for name, (index_QK, score_QK) in top.items():
        write_run(folder / f"{name.lower()}.run", query_ids, urls, index_QK, score_QK, name=name)
    write_qrels(folder / "qrels", query_ids, urls, task.relevant_QG, task.grade_QG)
    places = vector_ranks(q_QD, c_MD, task.relevant_QG, task.grade_QG, mesh=embedder.mesh)
    return {"BM25": per_query(task.bm25_ranks()), "model": per_query(places)}
