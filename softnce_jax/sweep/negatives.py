"""Do losses order the negatives differently? What the paper's binary labels could not show."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from softnce_jax.data.corpus import FOLDS
from softnce_jax.errors import InputError
from softnce_jax.files import write_text
from softnce_jax.retrieval.results import COLUMNS as METRICS
from softnce_jax.retrieval.results import three_digits
from softnce_jax.sweep.grid import Cell, cells, given, product, split_values
from softnce_jax.sweep.scores import Run, Scores, System, read_runs
from softnce_jax.sweep.statistics import bootstrap
from softnce_jax.sweep.tables import Table, label, markdown

log = logging.getLogger(__name__)

SHOWN = ("mrr", "negative_ndcg@10")
EPOCHS = 3  # 60 steps of the sample's 648 pairs: the whole grid fits into two hours on two cores


def write_table(out: Path) -> None:
    """Writes negatives.md of the finished runs in a folder."""
    text = markdown(negatives_table(read_runs(out)))
    write_text(out / "negatives.md", text)
    log.info(f"\n{text}\n{out / 'negatives.md'}")


def experiment(
    out: Path,
    *,
    estimators: str = "bm25",
    seeds: str = "1234,12345,123456",
    data: str = "sample",
    settings: Sequence[str] = (),
) -> list[Cell]:
    """InfoNCE and Soft-InfoNCE with each estimator × folds × seeds, on all six languages.

    Args:
      out: the folder of the runs.
      estimators: with commas between them.
      seeds: with commas between them.
      data: with families.
      settings: any others of finetune.py, as `name=value,value`.
    """
    shared = {
        "lang": "all",
        "encoder": "auto",
        "data": data,
        "epochs": EPOCHS,
        "fold": list(range(FOLDS)),
        "seed": split_values("seed", seeds),
    } | given(settings)
    soft = {"loss": "soft_infonce", "estimator": split_values("estimator", estimators)}
    losses = ({"loss": "infonce"}, soft)
    chosen = [settings for loss in losses for settings in product(shared | loss)]
    return cells(chosen, out)


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
    return f"{three_digits(value_Q.mean())} [{three_digits(low)}, {three_digits(high)}]"


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
