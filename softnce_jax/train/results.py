"""What a run says before it starts, and what it found: results.json and the table."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from softnce_jax.data.batches import Layout
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.retrieval.embed import Embedder
from softnce_jax.retrieval.metrics import per_query, summarize
from softnce_jax.retrieval.results import protocol, results_table
from softnce_jax.retrieval.task import RetrievalTask
from softnce_jax.train.checkpoint import Best
from softnce_jax.train.loop import Schedule
from softnce_jax.train.setup import Data

PACKAGES = ("softnce_jax", "jax", "flax", "optax", "orbax-checkpoint", "grain", "transformers")


def describe(data: Data, encoder: Encoder, params: Any, steps: Schedule) -> list[str]:
    """The plan of a run, a line for each thing that it stands on."""
    config = data.config
    weights = (
        f", estimator {config.estimator} (alpha {config.alpha}, beta {config.beta}, "
        f"t {config.temperature})"
        if config.loss == "soft_infonce"
        else ""
    )
    kinds = sorted({device.device_kind for device in jax.devices()})
    return [
        *(
            f"data      {c.name}, {c.language}: {len(c.train)} train, {len(c.valid)} valid, "
            f"{len(c.test)} test pairs, {len(c.codebase)} candidates"
            for c in data.corpora
        ),
        f"encoder   {config.encoder}, {encoder.parameter_count(params):,} parameters, "
        f"{encoder.pooling} pooling, {config.precision}"
        + (f", {config.dataflow} data flow" if config.dataflow != "none" else ""),
        f"loss      {config.loss}{weights}",
        f"training  {config.epochs} epochs of batches of {config.batch_size}: {steps.total} steps, "
        f"evaluated every {steps.evaluate}, seed {config.seed}",
        f"devices   {jax.device_count()} ({', '.join(kinds)})",
        f"run       {config.out}",
    ]


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    return {"python": platform.python_version()} | {p: metadata.version(p) for p in PACKAGES}


def evaluate(
    data: Data,
    embedder: Embedder,
    layout: Layout,
    systems: dict[str, Any],
    best: Best | None,
    identity: dict,
) -> dict:
    """Scores BM25 and the encoder under each system's parameters on every test split."""
    values: dict[str, dict[str, dict]] = {}
    protocols = {}
    for corpus in data.corpora:
        task = RetrievalTask(corpus.test, corpus.codebase, layout)
        protocols[corpus.language] = protocol(
            queries=len(corpus.test), candidates=len(corpus.codebase), data_hash=corpus.hash()
        )
        ranks = {"BM25": task.bm25_ranks()}
        ranks |= {name: task.ranks(embedder, params) for name, params in systems.items()}
        values[corpus.language] = {name: per_query(places) for name, places in ranks.items()}
    return {
        "config": identity,
        "protocol": protocols,
        "best": best and best._asdict(),
        "metrics": summaries(values, seed=data.config.seed),
        "devices": [device.device_kind for device in jax.devices()],
        "versions": versions(),
    }


def summaries(values: dict[str, dict[str, dict]], *, seed: int) -> dict:
    """Language -> system -> metric -> value and interval; of several languages also the mean."""
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


def show(results: dict, folder: Path, say: Callable[[str], None]) -> None:
    """Prints the table of every language and where the run is."""
    for language, systems in results["metrics"].items():
        about = results["protocol"].get(language)
        size = f": {about['queries']} queries, {about['candidates']} candidates" if about else ""
        say(f"\n{language}{size}\n{results_table(systems)}")
        bm25, *_, ours = (system["mrr"]["value"] for system in systems.values())
        if ours <= bm25:
            say(f"BM25 is not beaten: MRR {ours:.3f} against {bm25:.3f}")
    say(f"\nrun folder: {folder}")
