"""The finished runs of a folder as scores: what was trained × language × seed × query."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from softnce_jax.errors import InputError
from softnce_jax.retrieval.per_query import QueryScores, read_queries
from softnce_jax.train.config import NOT_COMPARED

# Fields in which runs of one system differ.
REPEATED = {"lang", "seed", "fold", "data_hash", "teacher", "data", *NOT_COMPARED}


class Run(NamedTuple):
    """A finished run."""

    folder: Path
    config: dict[str, Any]
    results: dict[str, Any]


class System(NamedTuple):
    """What was trained: runs of it differ in language, seed and fold."""

    encoder: str
    loss: str
    estimator: str
    settings: tuple[tuple[str, Any], ...]  # those in which systems with the same names differ
    on_all: bool  # one encoder for all languages


class Scores:
    """Values of every query of one metric.

    Attributes:
      values: system → language → seed → (Q,) values, the folds one after the other.
      units: language → (Q,) hashes of the queries' texts; the same for every system.
      families: language → (Q,) hashes of their families.
    """

    def __init__(self, runs: list[Run], metric: str, *, of: str = "trained"):
        """Reads queries.npz of every run; `of` is whose values: trained, untrained or BM25."""
        self.metric = metric
        self.runs: dict[System, list[Run]] = defaultdict(list)
        for run, system in zip(runs, systems(runs), strict=True):
            self.runs[system].append(run)
        self.values: dict[System, dict[str, dict[int, np.ndarray]]] = {}
        self.units: dict[str, np.ndarray] = {}
        self.families: dict[str, np.ndarray] = {}
        for system, group in self.runs.items():
            read = [(run, read_queries(run.folder)) for run in group]
            found = self.values[system] = {}
            for language in sorted({name for _, queries in read for name in queries.values}):
                seeds = self._language(language, read, of)
                if seeds:
                    found[language] = seeds

    def _language(
        self, language: str, read: list[tuple[Run, QueryScores]], of: str
    ) -> dict[int, np.ndarray]:
        parts = defaultdict(dict)
        for run, queries in read:
            if self.metric in queries.values.get(language, {}).get(of, {}):
                fold = run.config.get("fold")
                if fold in parts[run.config["seed"]]:
                    raise InputError(f"{run.folder}: a second run of its system, seed and fold")
                parts[run.config["seed"]][fold] = run, queries
        whole = {}
        for seed, folds in parts.items():
            ordered = [folds[fold] for fold in sorted(folds, key=str)]
            for name, known in (("query", self.units), ("family", self.families)):
                hashes = np.concatenate([q.hashes[language][name] for _, q in ordered])
                if not np.array_equal(known.setdefault(language, hashes), hashes):
                    raise InputError(
                        f"{ordered[0][0].folder}: its {language} queries are not those of the "
                        "other runs: keep runs of other data, or of unfinished folds, apart"
                    )
            whole[seed] = np.concatenate([q.values[language][of][self.metric] for _, q in ordered])
        return whole

    def seed_means(self, system: System, language: str) -> np.ndarray:
        """(Q,) the mean over seeds of each query's value."""
        return np.mean(list(self.values[system][language].values()), axis=0)

    def paired(self, system: System, other: System, language: str) -> tuple[np.ndarray, np.ndarray]:
        """(Q,) of each: means over the seeds that both have."""
        ours, theirs = self.values[system][language], self.values[other][language]
        common = sorted(ours.keys() & theirs.keys())
        if not common:
            raise InputError(f"{language}: runs of {system.loss} and {other.loss} share no seed")
        return tuple(
            np.mean([values[seed] for seed in common], axis=0) for values in (ours, theirs)
        )

    def baseline(self, system: System) -> System | None:
        """The InfoNCE that a system is compared with: the same encoder, trained on as much."""
        candidates = [
            other
            for other in self.values
            if other.loss == "infonce"
            and (other.encoder, other.on_all) == (system.encoder, system.on_all)
        ]
        alike = [other for other in candidates if {*other.settings} <= {*system.settings}]
        return (alike or candidates or [None])[0]


def read_runs(folder: str | Path) -> list[Run]:
    """The finished training runs in a folder. Raises InputError if there are none."""
    runs = []
    for path in sorted(Path(folder).glob("*/results.json")):
        results = json.loads(path.read_text("utf-8"))
        if "loss" in results["config"] and (path.parent / "queries.npz").exists():
            runs.append(Run(path.parent, results["config"], results))
    if not runs:
        raise InputError(f"{folder}: no finished runs; give the --out of sweep.py")
    return runs


def systems(runs: list[Run]) -> list[System]:
    """The system of each run: its names, and the settings in which others of its names differ."""
    groups: dict[tuple, dict[tuple, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        repetition = tuple(run.config.get(name) for name in ("lang", "seed", "fold"))
        groups[_names(run.config)][repetition].append(run.config)
    differing = {
        names: {name for configs in groups[names].values() for name in _differing(configs)}
        for names in groups
    }
    return [_system(run.config, differing[_names(run.config)]) for run in runs]


def _differing(configs: list[dict]) -> set[str]:
    first, *others = configs
    return {
        name
        for name in first.keys() - REPEATED
        if any(config.get(name) != first[name] for config in others)
    }


def _names(config: dict) -> tuple[str, str, str]:
    return Path(config["encoder"]).name, config["loss"], config["estimator"]


def _system(config: dict, differing: set[str]) -> System:
    settings = tuple((name, _plain(config.get(name))) for name in sorted(differing))
    return System(*_names(config), settings, config["lang"] == "all")


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else json.dumps(value)
