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
from softnce_jax.sweep.grid import Cell, make_cells, product, set_values, split_values
from softnce_jax.sweep.scores import Run, Scores, System, read_runs
from softnce_jax.sweep.statistics import bootstrap
from softnce_jax.sweep.tables import Table, label, markdown

__all__ = ["experiment", "negatives_table", "write_table"]

log = logging.getLogger(__name__)

EPOCHS = 3  # 60 steps of the sample's 648 pairs: the whole grid takes under two hours on two cores


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
      data: the sample, or data with families.
      settings: any others of finetune.py, as `name=value,value`.

    Raises:
      InputError: an unknown setting or value.
    """
    shared = {
        "lang": "all",
        "encoder": "auto",
        "data": data,
        "epochs": EPOCHS,
        "fold": list(range(FOLDS)),
        "seed": split_values("seed", seeds),
    } | set_values(settings)
    soft = {"loss": "soft_infonce", "estimator": split_values("estimator", estimators)}
    losses = ({"loss": "infonce"}, soft)
    return make_cells(out, [chosen for loss in losses for chosen in product(shared | loss)])


def write_table(out: Path) -> None:
    """Writes negatives.md of the finished runs in a folder."""
    text = markdown(negatives_table(read_runs(out)))
    write_text(out / "negatives.md", text)
    log.info(f"\n{text}\n{out / 'negatives.md'}")


def negatives_table(runs: list[Run]) -> Table:
    """Each metric, and its difference from InfoNCE, with intervals.

    A query's value is the mean over seeds; a number is the mean over all queries of all folds and
    languages. Intervals draw query texts (one text is asked in every language), and in the last
    column whole families.

    Raises:
      InputError: no InfoNCE to compare with, or no grades.
    """
    mrr, ndcg = Scores(runs, "mrr"), Scores(runs, "negative_ndcg@10")
    systems = [system for system in ndcg.values if ndcg.values[system]]
    if not systems:
        raise InputError("no run has graded negatives: the data need families")
    base = next((system for system in systems if system.loss == "infonce"), None)
    if base is None:
        raise InputError("no InfoNCE run to compare with")
    rows = []
    for ranked_by in ("BM25", "untrained"):  # the same for every run of a fold
        references = [Scores(mrr.runs[base], s.metric, ranked_by=ranked_by) for s in (mrr, ndcg)]
        means = [_mean(scores, next(iter(scores.values))) for scores in references]
        rows.append([ranked_by, *means, "", "", ""])
    for system in sorted(systems, key=lambda s: s.loss != "infonce"):
        row = [label(mrr, system), _mean(mrr, system), _mean(ndcg, system)]
        differences = [
            _difference(mrr, system, base),
            _difference(ndcg, system, base),
            _difference(ndcg, system, base, by_family=True),
        ]
        rows.append([*row, *(["", "", ""] if system == base else differences)])
    names = [METRICS[scores.metric] for scores in (mrr, ndcg)]
    head = ["", *names, *(f"Δ {name}" for name in names), f"Δ {names[1]}, by family"]
    return Table("Order of the negatives", head, rows, _notes(runs, mrr, base))


def _mean(scores: Scores, system: System) -> str:
    """A mean over all queries with its 95 % interval."""
    value_Q, unit_Q, _ = _all_languages(scores, system)
    low, high = bootstrap(value_Q, unit_Q)
    return f"{three_digits(value_Q.mean())} [{three_digits(low)}, {three_digits(high)}]"


def _difference(scores: Scores, system: System, base: System, *, by_family: bool = False) -> str:
    """The mean paired difference of two systems with its 95 % interval."""
    pairs = [scores.paired(system, base, language) for language in scores.values[system]]
    difference_Q = np.concatenate([ours_Q - theirs_Q for ours_Q, theirs_Q in pairs])
    _, unit_Q, family_Q = _all_languages(scores, system)
    low, high = bootstrap(difference_Q, family_Q if by_family else unit_Q)
    return f"{difference_Q.mean():+.3f} [{low:+.3f}, {high:+.3f}]".replace("-", "−")


def _all_languages(scores: Scores, system: System) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Q,) values, the means over seeds, of all languages; the queries' texts and families."""
    languages = list(scores.values[system])
    return (
        np.concatenate([scores.seed_means(system, language) for language in languages]),
        np.concatenate([scores.units[language] for language in languages]),
        np.concatenate([scores.families[language] for language in languages]),
    )


def _notes(runs: list[Run], scores: Scores, system: System) -> list[str]:
    value_Q, unit_Q, family_Q = _all_languages(scores, system)
    seeds = {run.config["seed"] for run in runs}
    return [
        f"{len(value_Q)} queries ({len({*unit_Q})} texts in {len(scores.values[system])} languages,"
        f" {len({*family_Q})} families), {len(runs)} runs, {len(seeds)} seeds averaged. Δ: paired "
        "difference from InfoNCE. 95 % bootstrap intervals over query texts, in the last column "
        "over families."
    ]
