"""The paper's tables of finished runs: mean and spread over seeds, tested against InfoNCE.

A table is made in three steps: which systems are its rows, what each cell shows (`TableCell` and
the functions of one), and the text, as Markdown and as LaTeX.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from softnce_jax import registry
from softnce_jax.files import printable_line, to_path, write_text
from softnce_jax.retrieval.results import COLUMNS as METRICS
from softnce_jax.retrieval.results import three_digits
from softnce_jax.sweep.paper import LANGUAGE_COLUMNS, SIZES, is_papers_data, published_mrr
from softnce_jax.sweep.scores import Run, Scores, System, read_runs
from softnce_jax.sweep.statistics import holm, paired_permutation

__all__ = ["Table", "TableCell", "label", "latex", "make_tables", "markdown", "means_by_seed",
           "write_tables"]  # fmt: skip

log = logging.getLogger(__name__)

TABLED_METRICS = ("mrr", "negative_ndcg@10")
# The losses of the paper's tables 1 to 3; first those that read no similarity, the baselines.
MAIN_LOSSES, OTHER_LOSSES, CANCELLING_LOSSES = (
    sorted(
        (name for name, row in registry.LOSSES.items() if row.table == table),
        key=lambda name: registry.LOSSES[name].target is not None,
    )
    for table in (1, 2, 3)
)
STARS = ((0.01, "**"), (0.05, "*"))  # p below, and its mark
ABSENT = "–"
# What begins markup in a table's cell: names of others' runs may hold anything.
MARKDOWN = str.maketrans(
    {"\\": r"\\", "|": r"\|", "<": "&lt;", ">": "&gt;", "&": "&amp;", "`": r"\`", "[": r"\["}
)
LATEX = str.maketrans({"±": r"$\pm$", "–": "--"})  # what tabulate leaves as it is


class Table(NamedTuple):
    """A table of text. Its rows are as long as its head; notes are printed under it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


class TableCell(NamedTuple):
    """What a cell shows: a system, and a language or the "mean" of several."""

    system: System
    column: str


Rows = dict[str, list[TableCell | None]]  # the label of a row → its cells, None where absent


def write_tables(runs: str | Path, out: str | Path) -> None:
    """Writes tables.md and tables.tex of the finished runs in a folder.

    Raises:
      InputError: no finished runs, or runs whose queries are not the same.
    """
    finished = read_runs(runs)
    tables = make_tables(finished)
    text = "\n".join([*_data_lines(finished), "", *map(markdown, tables)])
    as_markdown, as_latex = to_path(out) / "tables.md", to_path(out) / "tables.tex"
    write_text(as_markdown, text)
    write_text(as_latex, "\n\n".join(map(latex, tables)) + "\n")
    log.info(text)
    log.info(f"{as_markdown}, {as_latex}")


def make_tables(runs: list[Run]) -> list[Table]:
    """Tables 1, 2, 3 and 5 of the paper by each metric, those that there are runs for."""
    tables = []
    for metric in TABLED_METRICS:
        scores = Scores(runs, metric)
        if any(scores.values.values()):
            made = (make(scores) for make in (_main_losses, _means, _cancellation, _estimators))
            tables += [table for table in made if table is not None]
    return tables


def label(scores: Scores, system: System) -> str:
    """The name of a system in a table, without its encoder; of a sum, the estimators' names."""
    config = scores.runs[system][0].config
    row = registry.LOSSES.get(system.loss)
    words = [row.title if row else system.loss]
    if system.estimator != "none":
        terms = system.estimator.split("+")
        words.append(" + ".join(registry.estimator(term).title for term in terms))
    settings = dict(system.settings)
    if row and row.shown:
        settings[row.shown] = config.get(row.shown)
    words += [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in settings.items()
    ]
    return ", ".join([*words, *(["all languages"] if system.on_all else [])])


def means_by_seed(scores: Scores, cell: TableCell) -> dict[int, float]:
    """Seed → the metric's mean over queries, or the mean of the languages' means."""
    values, languages = scores.values[cell.system], _languages(scores, cell)
    seeds = set.intersection(*({*values[language]} for language in languages))
    return {
        seed: float(np.mean([values[language][seed].mean() for language in languages]))
        for seed in sorted(seeds)
    }


def _main_losses(scores: Scores) -> Table | None:
    """Table 1: encoders and losses by language; a user's own losses are rows of it."""
    users = sorted({system.loss for system in scores.values} - registry.LOSSES.keys())
    systems = _systems(scores, (*MAIN_LOSSES, *users))
    return _by_language(scores, systems, "Table 1: all encoders and languages")


def _means(scores: Scores) -> Table | None:
    """Table 2: losses by encoder, the mean over the languages."""
    if not _systems(scores, OTHER_LOSSES):
        return None
    systems = _systems(scores, (*MAIN_LOSSES, *OTHER_LOSSES))
    encoders = list(dict.fromkeys(system.encoder for system in systems))
    rows: Rows = {}
    for system in systems:
        row = rows.setdefault(label(scores, system), [None] * len(encoders))
        row[encoders.index(system.encoder)] = TableCell(system, "mean")
    return _table(scores, "Table 2: losses, mean over the languages", ["", *encoders], rows)


def _cancellation(scores: Scores) -> Table | None:
    """Table 3: false negatives cancelled, by encoder and language."""
    cancelling = _systems(scores, CANCELLING_LOSSES)
    if not cancelling:
        return None
    columns = list(
        dict.fromkeys((s.encoder, language) for s in cancelling for language in scores.values[s])
    )
    rows: Rows = {}
    for system in _systems(scores, ("infonce", *CANCELLING_LOSSES, "soft_infonce")):
        row = rows.setdefault(label(scores, system), [None] * len(columns))
        for language in scores.values[system]:
            if (system.encoder, language) in columns:
                row[columns.index((system.encoder, language))] = TableCell(system, language)
    head = ["", *(f"{encoder}, {language}" for encoder, language in columns)]
    return _table(scores, "Table 3: false negative cancellation", head, rows)


def _estimators(scores: Scores) -> Table | None:
    """Table 5: the other losses with each estimator, by language."""
    if not _systems(scores, OTHER_LOSSES):
        return None
    systems = _systems(scores, ("infonce", *OTHER_LOSSES))
    return _by_language(scores, systems, "Table 5: losses and estimators")


def _systems(scores: Scores, losses: Sequence[str]) -> list[System]:
    """The systems with these losses, in the order of the losses, encoder by encoder."""
    chosen = [s for s in scores.values if s.loss in losses and scores.values[s]]
    encoders = list(dict.fromkeys(system.encoder for system in scores.values))
    return sorted(chosen, key=lambda s: (encoders.index(s.encoder), losses.index(s.loss), s.on_all))


def _by_language(scores: Scores, systems: list[System], title: str) -> Table | None:
    """A table with a row for each system and a column for each language, and their mean."""
    if not systems:
        return None
    known = {language for system in systems for language in scores.values[system]}
    columns = [language for language in LANGUAGE_COLUMNS if language in known]
    columns += sorted(known.difference(columns))
    columns += ["mean"] if len(columns) > 1 else []
    rows: Rows = {}
    for system in systems:
        has = {*scores.values[system]}
        # A mean over fewer languages than the table has would not compare with the others.
        has |= {"mean"} if has >= {*columns} - {"mean"} else set()
        name = f"{system.encoder}, {label(scores, system)}"
        rows[name] = [TableCell(system, column) if column in has else None for column in columns]
    return _table(scores, title, ["", *columns], rows)


def _table(scores: Scores, title: str, head: list[str], rows: Rows) -> Table:
    """The table of these cells, tested together, with notes on what it shows."""
    shown = [cell for row in rows.values() for cell in row if cell is not None]
    tested = [cell for cell in shown if _baseline(scores, cell) is not None]
    p = dict(zip(tested, holm([_p_value(scores, cell) for cell in tested]), strict=True))
    texts = [
        [name, *(_text(scores, cell, p.get(cell)) if cell else ABSENT for cell in row)]
        for name, row in rows.items()
    ]
    metric = METRICS[scores.metric]
    notes = [f"{metric}, mean ± standard deviation over seeds ({_seeds(scores)})."]
    if len({tuple(means_by_seed(scores, cell)) for cell in shown}) > 1:
        notes.append("Not every cell has every seed: run the grid to its end.")
    if tested:
        notes.append(
            "Against InfoNCE of the same encoder: sign-flip test paired over queries, the seeds "
            "averaged (it speaks of other queries, not of other seeds), Holm's correction for "
            f"{len(tested)} cells: * p < .05, ** p < .01."
        )
    if any(_paper_mrr(scores, cell) for cell in shown):
        notes.append("In parentheses: the paper's number.")
    return Table(f"{title} ({metric})", head, texts, notes)


def _text(scores: Scores, cell: TableCell, p: float | None) -> str:
    """A mean over seeds with its spread, its stars and the paper's number."""
    by_seed = list(means_by_seed(scores, cell).values())
    text = three_digits(float(np.mean(by_seed)))
    if len(by_seed) > 1:
        text += f" ± {three_digits(float(np.std(by_seed, ddof=1)))}"
    text += next((stars for level, stars in STARS if p is not None and p < level), "")
    theirs = _paper_mrr(scores, cell)
    return text if theirs is None else f"{text} ({three_digits(theirs)})"


def _p_value(scores: Scores, cell: TableCell) -> float:
    """Of a cell against InfoNCE, before any correction."""
    other, languages = _baseline(scores, cell), _languages(scores, cell)
    differences, units = [], []
    for language in languages:
        ours, theirs = scores.paired(cell.system, other, language)
        # A cell shows the mean of the languages' means, in which each query has this weight.
        differences.append((ours - theirs) / len(ours) / len(languages))
        units.append(scores.units[language])
    return paired_permutation(np.concatenate(differences), np.concatenate(units))


def _baseline(scores: Scores, cell: TableCell) -> System | None:
    """The InfoNCE that a cell is tested against; None where there is none."""
    other = scores.baseline(cell.system)
    if other is None or other == cell.system:
        return None
    ours, theirs = scores.values[cell.system], scores.values[other]
    languages = _languages(scores, cell)
    shared = all(ours[name].keys() & theirs.get(name, {}).keys() for name in languages)
    return other if shared else None


def _paper_mrr(scores: Scores, cell: TableCell) -> float | None:
    """The paper's number for a cell; None where it has none, or for other data."""
    if scores.metric != "mrr" or cell.system.on_all:
        return None
    runs = scores.runs[cell.system]
    protocols = _protocols(runs)
    columns = LANGUAGE_COLUMNS if cell.column == "mean" else (cell.column,)
    if all(is_papers_data(name, protocols.get(name, {})) for name in columns):
        return published_mrr(runs[0].config | {"encoder": cell.system.encoder}, cell.column)
    return None


def _languages(scores: Scores, cell: TableCell) -> list[str]:
    return [*scores.values[cell.system]] if cell.column == "mean" else [cell.column]


def _protocols(runs: list[Run]) -> dict[str, dict]:
    """Language → what the numbers of these runs depend on."""
    return {name: protocol for run in runs for name, protocol in run.results["protocol"].items()}


def _data_lines(runs: list[Run]) -> list[str]:
    """For each language: that the data are the paper's, or the warning that they are not."""
    lines = []
    for language, protocol in _protocols(runs).items():
        name = _as_markdown(language)
        if is_papers_data(language, protocol):
            lines.append(f"{name}: the paper's sizes; its numbers stand beside ours.")
            continue
        sizes = tuple(protocol.get(name, 0) for name in ("train_pairs", "queries", "candidates"))
        theirs = _sizes(SIZES[language]) if language in SIZES else "none"
        lines.append(
            f"WARNING {name}: these are not the paper's data ({_sizes(sizes)}; the paper's: "
            f"{theirs}), so its numbers are not shown and ours do not compare with them.\n"
        )
    return lines


def _sizes(numbers: Sequence[int]) -> str:
    return "{:,} training pairs, {:,} queries, {:,} candidates".format(*numbers)


def _seeds(scores: Scores) -> str:
    seeds = {run.config["seed"] for runs in scores.runs.values() for run in runs}
    return ", ".join(map(str, sorted(seeds)))


def markdown(table: Table) -> str:
    """The table as GitHub's Markdown, with aligned columns.

    Example:
      >>> print(markdown(Table("Sizes", ["", "ruby"], [["train", "128"]])))
      ## Sizes
      <BLANKLINE>
      |       | ruby   |
      |-------|--------|
      | train | 128    |
      <BLANKLINE>
    """
    head, *rows = (list(map(_as_markdown, row)) for row in (table.head, *table.rows))
    lines = tabulate(rows, head, tablefmt="github", disable_numparse=True)
    return "\n".join([f"## {table.title}", "", lines, "", *(f"{note}\n" for note in table.notes)])


def _as_markdown(text: str) -> str:
    """A text that shows as it is, in one cell."""
    return printable_line(text).translate(MARKDOWN)


def latex(table: Table) -> str:
    r"""The table as a LaTeX float; it needs no package.

    Example:
      >>> print(latex(Table("Sizes", ["", "ruby"], [["train_pairs", "128 ± 2"]])))
      \begin{table}
      \centering
      \begin{tabular}{ll}
      \hline
                   & ruby    \\
      \hline
       train\_pairs & 128 $\pm$ 2 \\
      \hline
      \end{tabular}
      \caption{Sizes.}
      \end{table}
    """
    head, *rows = (list(map(printable_line, row)) for row in (table.head, *table.rows))
    lines = tabulate(rows, head, tablefmt="latex", disable_numparse=True)
    caption = " ".join(f"{text.rstrip('.')}." for text in (table.title, *table.notes))
    caption = caption.replace("<", "$<$")  # the one special character in our own titles and notes
    parts = [r"\begin{table}", r"\centering", lines, rf"\caption{{{caption}}}", r"\end{table}"]
    return "\n".join(parts).translate(LATEX)
