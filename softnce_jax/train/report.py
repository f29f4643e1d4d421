"""What a run logs before it starts, and what it measured: results.json and the table."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, Required, TypedDict

import jax

from softnce_jax import registry
from softnce_jax.data.corpus import shared_texts
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Processor
from softnce_jax.estimators.precomputed import Precomputed
from softnce_jax.estimators.spec import parse
from softnce_jax.retrieval.metrics import query_metrics, summarize
from softnce_jax.retrieval.per_query import QueryScores, query_hashes
from softnce_jax.retrieval.results import COLUMNS, protocol, results_table
from softnce_jax.retrieval.tasks import RetrievalTask
from softnce_jax.train.config import Config
from softnce_jax.train.diagnose import Evaluated, Vectors, analyse
from softnce_jax.train.loop import Schedule
from softnce_jax.train.setup import TrainingData, cache_folder
from softnce_jax.typed import Metric

log = logging.getLogger(__name__)


class _Interval(TypedDict):
    value: Metric
    low: Metric
    high: Metric


class _Protocol(TypedDict):
    queries: int
    candidates: int


_Metrics = TypedDict(
    "_Metrics", {name: NotRequired[_Interval] for name in COLUMNS} | {"mrr": Required[_Interval]}
)


class _Systems(TypedDict):
    BM25: _Metrics
    untrained: _Metrics
    trained: _Metrics


class Results(TypedDict):
    """What is read of a fine-tuning run's results.json; metrics are by language."""

    config: dict[str, Any]
    protocol: dict[str, _Protocol]
    metrics: dict[str, _Systems]


def describe(
    config: Config, data: TrainingData, encoder: Encoder, params: Any, schedule: Schedule
) -> list[str]:
    """The plan of a run, line by line: data, encoder, loss, estimator, training."""
    names = registry.loss(config.loss).settings
    settings = [f"{name.replace('_', ' ')} {getattr(config, name)}" for name in names]
    settings += ["symmetric"] * config.symmetric
    settings += ["learned scale"] * (config.scale == "learned")
    return [
        *(
            f"data      {c.name}, {c.language}: {len(c.train)} train, {len(c.valid)} valid, "
            f"{len(c.test)} test pairs, {len(c.codebase)} candidates"
            for c in data.corpora
        ),
        _duplicates_line(config, data),
        *_negatives_lines(config, data),
        encoder_line(config, encoder, params),
        f"loss      {', '.join([config.loss, *settings])}",
        *(f"estimator {line}" for line in _estimator_lines(config)),
        *training_lines(config, schedule),
    ]


_DUPLICATES = {
    "keep": "negatives of one another",
    "exclude": "left out as negatives",
    "weight": "weighted as the most similar negatives",
}


def _duplicates_line(config: Config, data: TrainingData) -> str:
    """How many training pairs share a text, and what becomes of them in a batch."""
    shared = shared_texts(data.train)
    line = f"texts     {shared.pairs} of {len(data.train)} training pairs have the text of another"
    if not shared.pairs:
        return line
    return (
        f"{line} ({shared.query} its query, {shared.code} its code): where they meet in a batch, "
        f"{_DUPLICATES[config.duplicates]} (--duplicates {config.duplicates})"
    )


def _negatives_lines(config: Config, data: TrainingData) -> list[str]:
    """Where the hard negatives are from; no line where there are none."""
    if data.negatives is None:
        return []
    return [
        f"negatives {config.negatives_per_query} hard ones a query, by "
        f"{data.negatives.about.get('model')} ({config.negatives}); {data.negatives.filled} "
        f"of {data.negatives.index_RK.size} slots have none: functions drawn at random"
    ]


def encoder_line(config: Config, encoder: Encoder, params: Any) -> str:
    """The encoder that is trained."""
    return (
        f"encoder   {config.encoder}, {encoder.parameter_count(params):,} parameters, "
        f"{encoder.pooling} pooling, {'cosine' if encoder.normalize else 'dot product'}, "
        f"{config.precision}" + (f", {config.dataflow} data flow" * (config.dataflow != "none"))
    )


def training_lines(config: Config, schedule: Schedule) -> list[str]:
    """The length of the training, its devices and its folder."""
    kinds = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    processes = f" of {jax.process_count()} processes" * (jax.process_count() > 1)
    slices = "" if config.micro_batch is None else f", {config.micro_batch} at a time"
    return [
        f"training  {config.epochs} epoch{'s' * (config.epochs != 1)} of batches of "
        f"{config.batch_size}{slices}: "
        f"{schedule.total} steps, evaluated every {schedule.evaluate}, seed {config.seed}",
        f"devices   {jax.device_count()} ({kinds}){processes}",
        f"run       {config.out}",
    ]


def _estimator_lines(config: Config) -> list[str]:
    """Each estimator of the sum with its model or statistics; no line where the loss needs none."""
    lines = []
    for term in parse(config.estimator) if config.estimator != "none" else ():
        model = registry.estimator(term.name).model
        detail = f", {getattr(config, model)}" if model else ""
        if term.name == "bm25":
            detail = f", document frequencies of the {config.bm25_statistics}"
        lines.append(f"{term.weight:g} * {term.name}{detail}")
    return lines


class System(NamedTuple):
    """Parameters of the encoder, and the factor on its scores in the loss."""

    params: Any
    scale: float


class Scored(NamedTuple):
    """What an evaluation measured, each by language, then by system."""

    protocol: dict[str, dict]
    metrics: dict[str, dict]
    analysis: dict[str, dict]


def evaluate(
    config: Config,
    data: TrainingData,
    embedder: Embedder,
    processor: Processor,
    systems: Mapping[str, System],
    precomputed: Mapping[str, Precomputed],
) -> tuple[Scored, QueryScores]:
    """Scores BM25 and the encoder under each system's parameters on every test split.

    Args:
      config: settled.
      data: the corpora.
      embedder: the encoder and its mesh.
      processor: of the encoder.
      systems: by the name that results.json gives them.
      precomputed: the run's estimators that training does not change, by name.

    Returns:
      What results.json has of it, and every query's metrics.
    """
    features_folder = cache_folder(config.data, "features")
    values: dict[str, dict[str, dict]] = {}
    analyses: dict[str, dict[str, dict]] = {}
    protocols = {}
    for corpus in data.corpora:
        task = RetrievalTask(corpus.test, corpus.codebase, processor)
        protocols[corpus.language] = {"train_pairs": len(corpus.train)} | protocol(
            queries=len(corpus.test),
            candidates=len(corpus.codebase),
            data_hash=corpus.hash(),
            data=corpus.protocol,
        )
        by_system = values[corpus.language] = {"BM25": query_metrics(task.bm25_ranks())}
        vectors = {}
        for name, (params, scale) in systems.items():
            q_QD, c_MD = task.vectors(embedder, params)
            by_system[name] = query_metrics(task.vector_ranks(q_QD, c_MD, embedder.mesh))
            vectors[name] = Vectors(q_QD, c_MD[task.relevant_QG[:, 0]], scale)
        evaluated = Evaluated(corpus.test, vectors)
        analyses[corpus.language] = analyse(
            config, evaluated, processor, precomputed, features_folder
        )
    metrics = summaries(values, seed=config.seed)
    queries = QueryScores(values, {c.language: query_hashes(c.test) for c in data.corpora})
    return Scored(protocols, metrics, analyses), queries


def summaries(values: dict[str, dict[str, dict]], *, seed: int) -> dict:
    """Language → system → metric → value and interval; of several languages also the mean."""
    groups = {language: [systems] for language, systems in values.items()}
    if len(values) > 1:
        groups["mean"] = list(values.values())
    return {
        name: {
            system: summarize(*(systems[system] for systems in group), seed=seed)
            for system in group[0]
        }
        for name, group in groups.items()
    }


def show(results: dict, folder: Path) -> None:
    """Logs the table of every language and the run's folder."""
    for language, systems in results["metrics"].items():
        about = results["protocol"].get(language)
        size = f": {about['queries']} queries, {about['candidates']} candidates" if about else ""
        log.info(f"\n{language}{size}\n{results_table(systems)}")
        main = next(name for name in COLUMNS if name in systems["BM25"])
        bm25, *_, ours = (system[main]["value"] for system in systems.values())
        if ours <= bm25:
            log.info(f"BM25 is not beaten: {COLUMNS[main]} {ours:.3f} against {bm25:.3f}")
    log.info(f"\nrun folder: {folder}")
