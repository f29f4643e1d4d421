"""Do losses order the negatives differently? What the paper's binary labels could not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from softnce_jax.data.folds import FOLDS
from softnce_jax.errors import InputError
from softnce_jax.retrieval.results import COLUMNS as METRICS
from softnce_jax.retrieval.results import three
from softnce_jax.sweep.config import NegativesConfig
from softnce_jax.sweep.grid import Cell, cells, given, product, split_values
from softnce_jax.sweep.markup import Table, markdown
from softnce_jax.sweep.run import run_cells
from softnce_jax.sweep.scores import Run, Scores, System, read_runs
from softnce_jax.sweep.statistics import bootstrap
from softnce_jax.sweep.tables import label

SHOWN = ("mrr", "negative_ndcg@10")
EPOCHS = 3  # 60 steps of the sample's 648 pairs: the whole grid fits into two hours on two cores


def negatives(config: NegativesConfig, say: Callable[[str], None] = print) -> None:
    """Runs what is missing of the experiment and writes negatives.md.

    Raises:
      InputError: settings that cannot be used, data without families.
      SystemExit: a signal came (the same call goes on), or a cell failed.
    """
    out = Path(config.out)
    failed = run_cells(experiment(config), out, say)
    if not failed:
        text = markdown(negatives_table(read_runs(out)))
        (out / "negatives.md").write_text(text, "utf-8")
        say(f"\n{text}\n{out / 'negatives.md'}")
    else:
        raise SystemExit(1)


def experiment(config: NegativesConfig) -> list[Cell]:
    """InfoNCE and Soft-InfoNCE with each estimator × folds × seeds, on all six languages."""
    shared = {
        "lang": "all",
        "encoder": "auto",
        "data": config.data,
        "epochs": EPOCHS,
        "fold": list(range(FOLDS)),
        "seed": split_values("seed", config.seed),
    } | given(config.set)
    estimators = split_values("estimator", config.estimator)
    losses = ({"loss": "infonce"}, {"loss": "soft_infonce", "estimator": estimators})
    chosen = [settings for loss in losses for settings in product(shared | loss)]
    return cells(chosen, Path(config.out))


def negatives_table(runs: list[Run]) -> Table:
    """Each metric, and its difference from InfoNCE, with intervals.

    A query's value is the mean over seeds; a figure is the mean over all queries of all folds and
    languages. Intervals draw query texts (one text is asked in every language), and in the last
    column whole families.

    Raises:
      InputError: no InfoNCE to compare with, or no grades.
    """
    scores = {metric: Scores(runs, metric) for metric in SHOWN}
    found = [s for s in scores[SHOWN[1]].values if scores[SHOWN[1]].values[s]]
    if not found:
        raise InputError("no run has graded negatives: the data need families")
    first = next((system for system in found if system.loss == "infonce"), None)
    if first is None:
        raise InputError("no InfoNCE run to compare with")
    rows = []
    for of in ("BM25", "untrained"):
        references = [Scores(scores["mrr"].runs[first], metric, of=of) for metric in SHOWN]
        rows.append([of, *(interval(s, next(iter(s.values))) for s in references), "", "", ""])
    for system in sorted(found, key=lambda s: s.loss != "infonce"):
        row = [label(scores["mrr"], system), *(interval(scores[m], system) for m in SHOWN)]
        differences = [difference(scores[m], system, first) for m in SHOWN]
        differences.append(difference(scores[SHOWN[1]], system, first, by_family=True))
        rows.append([*row, *(["", "", ""] if system == first else differences)])
    names = [METRICS[metric] for metric in SHOWN]
    head = ["", *names, *(f"Δ {name}" for name in names), f"Δ {names[1]}, by family"]
    return Table("Order of the negatives", head, rows, _notes(runs, scores["mrr"], first))


def interval(scores: Scores, system: System) -> str:
    """A mean over all queries with its 95 % interval."""
    value_Q, unit_Q, _ = pooled(scores, system)
    low, high = bootstrap(value_Q, unit_Q)
    return f"{three(value_Q.mean())} [{three(low)}, {three(high)}]"


def difference(scores: Scores, system: System, other: System, *, by_family: bool = False) -> str:
    """The mean paired difference of two systems with its 95 % interval."""
    languages = list(scores.values[system])
    pairs = [scores.paired(system, other, language) for language in languages]
    difference_Q = np.concatenate([ours_Q - theirs_Q for ours_Q, theirs_Q in pairs])
    _, unit_Q, family_Q = pooled(scores, system)
    low, high = bootstrap(difference_Q, family_Q if by_family else unit_Q)
    return f"{difference_Q.mean():+.3f} [{low:+.3f}, {high:+.3f}]".replace("-", "−")


def pooled(scores: Scores, system: System) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Q,) values, the mean over seeds, of all languages; the queries' texts and families."""
    languages = list(scores.values[system])
    return (
        np.concatenate([scores.seed_means(system, language) for language in languages]),
        np.concatenate([scores.units[language] for language in languages]),
        np.concatenate([scores.families[language] for language in languages]),
    )


def _notes(runs: list[Run], scores: Scores, system: System) -> list[str]:
    value_Q, unit_Q, family_Q = pooled(scores, system)
    seeds = {run.config["seed"] for run in runs}
    return [
        f"{len(value_Q)} queries ({len({*unit_Q})} texts in {len(scores.values[system])} languages,"
        f" {len({*family_Q})} families), {len(runs)} runs, {len(seeds)} seeds averaged. Δ: paired "
        "difference from InfoNCE. 95 % bootstrap intervals over query texts, in the last column "
        "over families."
    ]
