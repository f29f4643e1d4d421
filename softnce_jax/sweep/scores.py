"""The finished runs of a folder as scores: what was trained × language × seed × query."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np

from softnce_jax.errors import InputError, first_line
from softnce_jax.estimators.spec import parse
from softnce_jax.files import read_json, to_path
from softnce_jax.retrieval.per_query import QUERIES_FILE, QueryScores, read_queries
from softnce_jax.train.config import NOT_COMPARED, StoredConfig
from softnce_jax.typed import Factor, NotNegative, Positive, Size, check_type

__all__ = ["Run", "Scores", "System", "read_runs"]

# Fields in which runs of one system may differ.
REPEATED = {"lang", "seed", "fold", "data_hash", "teacher", "data", *NOT_COMPARED}


class _Protocol(TypedDict, total=False):
    train_pairs: Size
    queries: Size
    candidates: Size


class _Results(TypedDict):
    """What is read of a results.json."""

    config: dict[str, Any]
    protocol: dict[str, _Protocol]


class _Weighted(TypedDict):
    """What is read of the configuration of a loss with the weights of Eq. 4."""

    alpha: Factor
    beta: Factor
    temperature: Positive
    floor: NotNegative


class Run(NamedTuple):
    """A finished run: its folder, and the configuration and content of its results.json."""

    folder: Path
    config: dict[str, Any]
    results: dict[str, Any]


class System(NamedTuple):
    """What was trained: runs of it differ in language, seed and fold.

    Attributes:
      encoder: its name, without folders.
      loss: its name.
      estimator: its name, "none" for none.
      settings: those in which systems of the same names differ.
      on_all: whether one encoder was trained on all languages.
    """

    encoder: str
    loss: str
    estimator: str
    settings: tuple[tuple[str, Any], ...]
    on_all: bool


class Scores:
    """The values of one metric, query by query.

    Attributes:
      metric: its name.
      runs: system → its runs.
      values: system → language → seed → (Q,) values, the folds one after the other.
      units: language → (Q,) hashes of the queries' texts; the same for every system.
      families: language → (Q,) hashes of their families.
    """

    def __init__(self, runs: list[Run], metric: str, *, ranked_by: str = "trained"):
        """Reads queries.npz of every run.

        Args:
          runs: finished ones.
          metric: its name there.
          ranked_by: whose values: those of the "trained" or "untrained" encoder, or of "BM25".

        Raises:
          InputError: two runs of one system, seed and fold, or other data or queries than in other
            runs.
        """
        _check_data(runs)
        self.metric, self._ranked_by = metric, ranked_by
        self.runs: dict[System, list[Run]] = defaultdict(list)
        for run, system in zip(runs, _systems(runs), strict=True):
            self.runs[system].append(run)
        self.values: dict[System, dict[str, dict[int, np.ndarray]]] = {}
        self.units: dict[str, np.ndarray] = {}
        self.families: dict[str, np.ndarray] = {}
        for system, group in self.runs.items():
            read = [(run, read_queries(run.folder)) for run in group]
            by_language = self.values[system] = {}
            for language in sorted({name for _, queries in read for name in queries.values}):
                by_seed = self._by_seed(language, read)
                if by_seed:
                    by_language[language] = by_seed

    def _by_seed(self, language: str, read: list[tuple[Run, QueryScores]]) -> dict[int, np.ndarray]:
        """Seed → (Q,) values in a language, the folds joined."""
        folds_of = defaultdict(dict)
        for run, queries in read:
            if self.metric in queries.values.get(language, {}).get(self._ranked_by, {}):
                folds, fold = folds_of[run.config["seed"]], run.config.get("fold")
                if fold in folds:
                    raise InputError(f"{run.folder}: a second run of its system, seed and fold")
                folds[fold] = run, queries
        by_seed = {}
        for seed, folds in folds_of.items():
            ordered = [folds[fold] for fold in sorted(folds, key=str)]
            # Values are paired over queries, so all runs must have the same ones in the same order.
            for name, known in (("query", self.units), ("family", self.families)):
                hashes = np.concatenate([q.hashes[language][name] for _, q in ordered])
                if not np.array_equal(known.setdefault(language, hashes), hashes):
                    raise InputError(
                        f"{ordered[0][0].folder}: its {language} queries are not those of the "
                        "other runs: keep runs of other data, or of unfinished folds, apart"
                    )
            values = [q.values[language][self._ranked_by][self.metric] for _, q in ordered]
            by_seed[seed] = np.concatenate(values)
        return by_seed

    def seed_means(self, system: System, language: str) -> np.ndarray:
        """(Q,) each query's value, the mean over seeds."""
        return np.mean(list(self.values[system][language].values()), axis=0)

    def paired(self, system: System, other: System, language: str) -> tuple[np.ndarray, np.ndarray]:
        """(Q,) values of each system, means over the seeds that both have."""
        ours, theirs = self.values[system][language], self.values[other][language]
        common = sorted(ours.keys() & theirs.keys())
        if not common:
            raise InputError(f"{language}: runs of {system.loss} and {other.loss} share no seed")
        return tuple(
            np.mean([values[seed] for seed in common], axis=0) for values in (ours, theirs)
        )

    def baseline(self, system: System) -> System | None:
        """The InfoNCE that a system is compared with: of the same encoder and languages.

        One whose settings are among the system's own is preferred.
        """
        candidates = [
            other
            for other in self.values
            if other.loss == "infonce"
            and (other.encoder, other.on_all) == (system.encoder, system.on_all)
        ]
        alike = [other for other in candidates if {*other.settings} <= {*system.settings}]
        return (alike or candidates or [None])[0]


def read_runs(folder: str | Path) -> list[Run]:
    """The finished training runs in a folder.

    Raises:
      InputError: there are none, or one is damaged.
    """
    runs = []
    for path in sorted(to_path(folder).glob("*/results.json")):
        results = read_json(path, dict[str, Any])
        check_type(results.get("config"), dict[str, Any], f"{path}: config")
        if "loss" in results["config"] and (path.parent / QUERIES_FILE).exists():
            check_type(results, _Results, path)
            _check_config(results["config"], path)
            runs.append(Run(path.parent, results["config"], results))
    if not runs:
        raise InputError(f"{folder}: no finished runs; give the --out of sweep.py")
    return runs


def _check_data(runs: list[Run]) -> None:
    """Raises InputError where runs of a language and fold read other data: other texts, perhaps."""
    known: dict[tuple, tuple[str, Path]] = {}
    for run in runs:
        for language, protocol in run.results["protocol"].items():
            key, data_hash = (language, run.config.get("fold")), protocol.get("data_hash")
            other_hash, other = known.setdefault(key, (data_hash, run.folder))
            if data_hash != other_hash:
                raise InputError(
                    f"{run.folder}: its {language} data are not those of {other}: keep runs of "
                    "other data, or of an earlier version of them, apart"
                )


def _check_config(config: dict[str, Any], path: Path) -> None:
    check_type(config, StoredConfig, f"{path}: config")
    if config["loss"] == "soft_infonce":
        check_type(config, _Weighted, f"{path}: config")
    try:
        if config["estimator"] != "none" or config["loss"] == "soft_infonce":
            parse(config["estimator"])
    except InputError as error:
        raise InputError(f"{path}: config.estimator: {first_line(error)}") from None


def _systems(runs: list[Run]) -> list[System]:
    """The system of each run: its names, and the settings in which runs of those names differ.

    Only runs of the same language, seed and fold are compared: among those, a setting that differs
    tells two systems apart.
    """
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
    return Path(config["encoder"]).name or config["encoder"], config["loss"], config["estimator"]


def _system(config: dict, differing: set[str]) -> System:
    settings = tuple((name, _plain(config.get(name))) for name in sorted(differing))
    return System(*_names(config), settings, config["lang"] == "all")


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else json.dumps(value)
