"""Run folders made by hand: results.json and queries.npz, nothing trained."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from softnce_jax.data.corpus import Pair
from softnce_jax.retrieval.per_query import QueryScores, query_hashes, write_queries
from softnce_jax.sweep.paper import SIZES
from softnce_jax.train.config import Config, resolve


def pairs(language: str, number: int, *, first: int = 0) -> list[Pair]:
    """QueryScores whose texts are the same in every language, three to a family."""
    return [
        Pair(f"query {q}", "code", f"{language}/{q}", language, f"family {q // 3}")
        for q in range(first, first + number)
    ]


def write_run(
    folder: Path,
    values: dict[str, np.ndarray],
    *,
    metric: str = "mrr",
    first: int = 0,
    as_published: bool = False,
    steps: list[dict] = (),
    data_hash: str = "the data's",
    **given,
) -> Path:
    """A finished run whose trained system has these values, language → (Q,)."""
    language = next(iter(values)) if len(values) == 1 else "all"
    config, _ = resolve(Config(**({"lang": language} | given)), on_sample=True, train_pairs=640)
    name = f"{config.lang}-{Path(config.encoder).name}-{config.loss}-{config.estimator}-{first}"
    path = folder / f"{name}-{config.seed}-{len(list(folder.glob('*')))}"
    path.mkdir(parents=True)
    systems = {
        name: {
            "BM25": {metric: np.zeros_like(value_Q)},
            "untrained": {metric: value_Q / 2},
            "trained": {metric: value_Q},
        }
        for name, value_Q in values.items()
    }
    names = {name: query_hashes(pairs(name, len(v), first=first)) for name, v in values.items()}
    write_queries(path, QueryScores(systems, names))
    sizes = {
        name: SIZES[name] if as_published else (128, len(value_Q), 96)
        for name, value_Q in values.items()
    }
    protocol = {
        name: dict(zip(("train_pairs", "queries", "candidates"), size, strict=True))
        | {"data_hash": f"{data_hash} {name} {config.fold}"}
        for name, size in sizes.items()
    }
    results = {"config": dataclasses.asdict(config), "protocol": protocol}
    (path / "results.json").write_text(json.dumps(results))
    (path / "metrics.jsonl").write_text("".join(f"{json.dumps(step)}\n" for step in steps))
    return path
