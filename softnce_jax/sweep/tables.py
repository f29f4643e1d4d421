"""The paper's tables of finished runs: mean and spread over seeds, tested against InfoNCE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from softnce_jax.retrieval.results import COLUMNS as METRICS
from softnce_jax.sweep.markup import Table, latex, markdown
from softnce_jax.sweep.paper import LANGUAGES, SIZES, is_papers_data
from softnce_jax.sweep.places import Place, baseline, cell, figures, p_value, paper_mrr
from softnce_jax.sweep.scores import Run, Scores, System, read_runs
from softnce_jax.sweep.statistics import holm

LOSSES = {
    "infonce": "InfoNCE",
    "soft_infonce": "Soft-InfoNCE",
    "weighted_infonce": "weighted InfoNCE",
    "bce": "BCE",
    "kl_regularized": "KL regularisation",
    "cancel_top_k": "cancellation, top k",
    "cancel_threshold": "cancellation, threshold",
}
ESTIMATORS = {"bm25": "BM25", "sentence": "SimCSE", "teacher": "trained model"}
AMOUNTS = {"cancel_top_k": "cancel_k", "cancel_threshold": "cancel_ratio"}
OURS = ("infonce", "soft_infonce")
OTHERS = ("bce", "weighted_infonce", "kl_regularized")
TABLED = ("mrr", "negative_ndcg@10")


def write_tables(runs: str | Path, out: str | Path, say: Callable[[str], None] = print) -> None:
    """Writes tables.md and tables.tex of the finished runs in a folder.

    Raises:
      InputError: no finished runs, or runs whose queries are not the same.
    """
    found = read_runs(runs)
    tables = make_tables(found)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    text = "\n".join([*data_lines(found), "", *map(markdown, tables)])
    (out / "tables.md").write_text(text, "utf-8")
    (out / "tables.tex").write_text("\n\n".join(map(latex, tables)) + "\n", "utf-8")
    say(text)
    say(f"{out / 'tables.md'}, {out / 'tables.tex'}")


def make_tables(runs: list[Run]) -> list[Table]:
    """Tables 1, 2, 3 and 5 of the paper, as far as there are runs for them, by each metric."""
    tables = []
    for metric in TABLED:
        scores = Scores(runs, metric)
        if any(scores.values.values()):
            tables += [table for make in (all_losses, means, cancellation, variants)
                       if (table := make(scores)) is not None]  # fmt: skip
    return tables


def all_losses(scores: Scores) -> Table | None:
    """Table 1: encoders and losses by language."""
    systems = _of(scores, OURS)
    return _by_language(scores, systems, "Table 1: all encoders and languages")


def means(scores: Scores) -> Table | None:
    """Table 2: losses by encoder, the mean over the languages."""
    if not _of(scores, OTHERS):
        return None
    systems = _of(scores, (*OURS, *OTHERS))
    encoders = list(dict.fromkeys(system.encoder for system in systems))
    rows: dict[str, list[Place | None]] = {}
    for system in systems:
        row = rows.setdefault(label(scores, system), [None] * len(encoders))
        row[encoders.index(system.encoder)] = Place(system, "mean")
    return _table(scores, "Table 2: losses, mean over the languages", ["", *encoders], rows)


def cancellation(scores: Scores) -> Table | None:
    """Table 3: false negatives cancelled, by encoder and language."""
    cancelled = _of(scores, tuple(AMOUNTS))
    if not cancelled:
        return None
    columns = list(dict.fromkeys((s.encoder, name) for s in cancelled for name in scores.values[s]))
    rows: dict[str, list[Place | None]] = {}
    for system in _of(scores, ("infonce", *AMOUNTS, "soft_infonce")):
        row = rows.setdefault(label(scores, system), [None] * len(columns))
        for language in scores.values[system]:
            if (system.encoder, language) in columns:
                row[columns.index((system.encoder, language))] = Place(system, language)
    head = ["", *(f"{encoder}, {language}" for encoder, language in columns)]
    return _table(scores, "Table 3: false negative cancellation", head, rows)


def variants(scores: Scores) -> Table | None:
    """Table 5: the other losses with each estimator, by language."""
    if not _of(scores, OTHERS):
        return None
    systems = _of(scores, ("infonce", *OTHERS))
    return _by_language(scores, systems, "Table 5: losses and estimators")


def label(scores: Scores, system: System) -> str:
    """How a system is called in a table, without its encoder.

    An estimator that is a sum is called by its terms.
    """
    config = scores.runs[system][0].config
    words = [LOSSES.get(system.loss, system.loss)]
    if system.estimator != "none":
        words.append(" + ".join(ESTIMATORS.get(x, x) for x in system.estimator.split("+")))
    settings = dict(system.settings)
    if amount := AMOUNTS.get(system.loss):
        settings[amount] = config.get(amount)
    words += [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
              for name, value in settings.items()]  # fmt: skip
    return ", ".join([*words, *(["all languages"] if system.on_all else [])])


def _of(scores: Scores, losses: Sequence[str]) -> list[System]:
    """The systems with these losses, in the order of the losses, encoder by encoder."""
    chosen = [s for s in scores.values if s.loss in losses and scores.values[s]]
    encoders = list(dict.fromkeys(system.encoder for system in scores.values))
    return sorted(chosen, key=lambda s: (encoders.index(s.encoder), losses.index(s.loss), s.on_all))


def _by_language(scores: Scores, systems: list[System], title: str) -> Table | None:
    if not systems:
        return None
    known = {language for system in systems for language in scores.values[system]}
    columns = [name for name in LANGUAGES if name in known]
    columns += ["mean"] if len(columns) > 1 else []
    rows = {}
    for system in systems:
        has = {*scores.values[system]}
        has |= {"mean"} if has >= {*columns} - {"mean"} else set()
        name = f"{system.encoder}, {label(scores, system)}"
        rows[name] = [Place(system, column) if column in has else None for column in columns]
    return _table(scores, title, ["", *columns], rows)


def _table(
    scores: Scores, title: str, head: list[str], rows: dict[str, list[Place | None]]
) -> Table:
    places = [place for row in rows.values() for place in row if place is not None]
    tested = [place for place in places if baseline(scores, place) is not None]
    p = dict(zip(tested, holm([p_value(scores, place) for place in tested]), strict=True))
    comparable = scores.metric == "mrr" and any(paper_mrr(scores, place) for place in places)
    cells = [
        [name, *(cell(scores, place, p.get(place)) if place else "–" for place in row)]
        for name, row in rows.items()
    ]
    notes = [f"{METRICS[scores.metric]}, mean ± standard deviation over seeds ({_seeds(scores)})."]
    if len({tuple(figures(scores, place)) for place in places}) > 1:
        notes.append("Not every cell has every seed: run the grid to its end.")
    if tested:
        notes.append(
            "Against InfoNCE of the same encoder: sign-flip test paired over queries, the seeds "
            "averaged (it speaks of other queries, not of other seeds), Holm's correction for "
            f"{len(tested)} cells: * p < .05, ** p < .01."
        )
    if comparable:
        notes.append("In parentheses: the paper's number.")
    return Table(f"{title} ({METRICS[scores.metric]})", head, cells, notes)


def data_lines(runs: list[Run]) -> list[str]:
    """Of each language: that the data are the paper's, or the warning that they are not."""
    protocols = {name: about for run in runs for name, about in run.results["protocol"].items()}
    lines = []
    for language, about in protocols.items():
        if is_papers_data(language, about):
            lines.append(f"{language}: the paper's sizes; its numbers stand beside ours.")
            continue
        sizes = (about.get(name, 0) for name in ("train_pairs", "queries", "candidates"))
        ours, theirs = (
            "{:,} training pairs, {:,} queries, {:,} candidates".format(*numbers)
            for numbers in (sizes, SIZES[language])
        )
        lines.append(
            f"WARNING {language}: these are not the paper's data ({ours}; the paper's: {theirs}), "
            "so its numbers are not shown and ours do not compare with them.\n"
        )
    return lines


def _seeds(scores: Scores) -> str:
    seeds = {run.config["seed"] for runs in scores.runs.values() for run in runs}
    return ", ".join(map(str, sorted(seeds)))
