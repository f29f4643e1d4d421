"""The paper's tables of finished runs: mean and spread over seeds, tested against InfoNCE."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from softnce_jax import registry
from softnce_jax.files import write_text
from softnce_jax.retrieval.results import COLUMNS as METRICS
from softnce_jax.retrieval.results import three_digits
from softnce_jax.sweep.paper import LANGUAGES, SIZES, is_papers_data, published
from softnce_jax.sweep.scores import Run, Scores, System, read_runs
from softnce_jax.sweep.statistics import holm, paired_permutation

log = logging.getLogger(__name__)

OURS = ("infonce", "soft_infonce")
OTHERS = tuple(name for name, row in registry.LOSSES.items() if row.table == 2)
CANCELLING = tuple(name for name, row in registry.LOSSES.items() if row.table == 3)
TABLED = ("mrr", "negative_ndcg@10")


def write_tables(runs: str | Path, out: str | Path) -> None:
    """Writes tables.md and tables.tex of the finished runs in a folder.

    Raises:
      InputError: no finished runs, or runs whose queries are not the same.
    """
    found = read_runs(runs)
    tables = make_tables(found)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    text = "\n".join([*data_lines(found), "", *map(markdown, tables)])
    write_text(out / "tables.md", text)
    write_text(out / "tables.tex", "\n\n".join(map(latex, tables)) + "\n")
    log.info(text)
    log.info(f"{out / 'tables.md'}, {out / 'tables.tex'}")


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
    rows: dict[str, list[TableCell | None]] = {}
    for system in systems:
        row = rows.setdefault(label(scores, system), [None] * len(encoders))
        row[encoders.index(system.encoder)] = TableCell(system, "mean")
    return _table(scores, "Table 2: losses, mean over the languages", ["", *encoders], rows)


def cancellation(scores: Scores) -> Table | None:
    """Table 3: false negatives cancelled, by encoder and language."""
    cancelled = _of(scores, CANCELLING)
    if not cancelled:
        return None
    columns = list(dict.fromkeys((s.encoder, name) for s in cancelled for name in scores.values[s]))
    rows: dict[str, list[TableCell | None]] = {}
    for system in _of(scores, ("infonce", *CANCELLING, "soft_infonce")):
        row = rows.setdefault(label(scores, system), [None] * len(columns))
        for language in scores.values[system]:
            if (system.encoder, language) in columns:
                row[columns.index((system.encoder, language))] = TableCell(system, language)
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
    row = registry.LOSSES.get(system.loss)
    words = [row.title if row else system.loss]
    if system.estimator != "none":
        terms = system.estimator.split("+")
        words.append(" + ".join(registry.estimator(term).title for term in terms))
    settings = dict(system.settings)
    if row and row.shown:
        settings[row.shown] = config.get(row.shown)
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
        rows[name] = [TableCell(system, column) if column in has else None for column in columns]
    return _table(scores, title, ["", *columns], rows)


def _table(
    scores: Scores, title: str, head: list[str], rows: dict[str, list[TableCell | None]]
) -> Table:
    shown = [at for row in rows.values() for at in row if at is not None]
    tested = [at for at in shown if baseline(scores, at) is not None]
    p = dict(zip(tested, holm([p_value(scores, at) for at in tested]), strict=True))
    comparable = scores.metric == "mrr" and any(paper_mrr(scores, at) for at in shown)
    cells = [
        [name, *(cell(scores, at, p.get(at)) if at else "–" for at in row)]
        for name, row in rows.items()
    ]
    notes = [f"{METRICS[scores.metric]}, mean ± standard deviation over seeds ({_seeds(scores)})."]
    if len({tuple(figures(scores, at)) for at in shown}) > 1:
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


LEVELS = ((0.01, "**"), (0.05, "*"))


class TableCell(NamedTuple):
    """What a cell of a table shows: a system in a language, or in the "mean" of several."""

    system: System
    column: str


def cell(scores: Scores, at: TableCell, p: float | None) -> str:
    """A mean over seeds with its spread, its stars and the paper's number."""
    by_seed = list(figures(scores, at).values())
    text = three_digits(float(np.mean(by_seed)))
    if len(by_seed) > 1:
        text += f" ± {three_digits(float(np.std(by_seed, ddof=1)))}"
    text += next((stars for level, stars in LEVELS if p is not None and p < level), "")
    theirs = paper_mrr(scores, at)
    return text if theirs is None else f"{text} ({three_digits(theirs)})"


def figures(scores: Scores, at: TableCell) -> dict[int, float]:
    """Seed → the metric of a at: a mean over queries, or the mean of the languages' means."""
    values = scores.values[at.system]
    languages = [*values] if at.column == "mean" else [at.column]
    seeds = set.intersection(*({*values[language]} for language in languages))
    return {
        seed: float(np.mean([values[language][seed].mean() for language in languages]))
        for seed in sorted(seeds)
    }


def p_value(scores: Scores, at: TableCell) -> float:
    """Of a at against InfoNCE, before any correction."""
    other, values = baseline(scores, at), scores.values[at.system]
    languages = [*values] if at.column == "mean" else [at.column]
    differences, units = [], []
    for language in languages:
        ours, theirs = scores.paired(at.system, other, language)
        differences.append((ours - theirs) / len(ours) / len(languages))
        units.append(scores.units[language])
    return paired_permutation(np.concatenate(differences), np.concatenate(units))


def baseline(scores: Scores, at: TableCell) -> System | None:
    """The InfoNCE that a at is tested against, None where there is none."""
    other = scores.baseline(at.system)
    if other is None or other == at.system:
        return None
    languages = [*scores.values[at.system]] if at.column == "mean" else [at.column]
    ours, theirs = scores.values[at.system], scores.values[other]
    shared = all(ours[name].keys() & theirs.get(name, {}).keys() for name in languages)
    return other if shared else None


def paper_mrr(scores: Scores, at: TableCell) -> float | None:
    if scores.metric != "mrr" or at.system.on_all:
        return None
    runs = scores.runs[at.system]
    protocols = {name: about for run in runs for name, about in run.results["protocol"].items()}
    columns = LANGUAGES if at.column == "mean" else (at.column,)
    if all(is_papers_data(name, protocols.get(name, {})) for name in columns):
        return published(runs[0].config | {"encoder": at.system.encoder}, at.column)
    return None


class Table(NamedTuple):
    """A table: its rows are as long as its head; notes stand under it."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def markdown(table: Table) -> str:
    """The table as GitHub's Markdown, with aligned columns.

    Example:
      >>> print(markdown(Table("Sizes", ["", "ruby"], [["train", "128"]])))
      ## Sizes
      <BLANKLINE>
      |       | ruby |
      |-------|------|
      | train | 128  |
      <BLANKLINE>
    """
    rows = [[cell.replace("|", "\\\\|") for cell in row] for row in (table.head, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join([f"## {table.title}", "", *lines, "", *(f"{n}\n" for n in table.notes)])


def latex(table: Table) -> str:
    r"""The table as a LaTeX float; it needs no package.

    Example:
      >>> print(latex(Table("Sizes", ["", "ruby"], [["train_pairs", "128 ± 2"]])))
      \begin{table}
      \centering
      \begin{tabular}{ll}
      \hline
       & ruby \\
      \hline
      train\_pairs & 128 $\pm$ 2 \\
      \hline
      \end{tabular}
      \caption{Sizes.}
      \end{table}
    """
    head, *rows = (" & ".join(map(escaped, row)) + r" \\" for row in (table.head, *table.rows))
    caption = " ".join(f"{escaped(text.rstrip('.'))}." for text in (table.title, *table.notes))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\begin{{tabular}}{{{'l' * len(table.head)}}}",
            r"\hline",
            head,
            r"\hline",
            *rows,
            r"\hline",
            r"\end{tabular}",
            rf"\caption{{{caption}}}",
            r"\end{table}",
        ]
    )


def escaped(text: str) -> str:
    r"""Text without LaTeX's special characters.

    Example:
      >>> escaped("95 % of a_b")
      '95 \\% of a\\_b'
    """
    known = {"\\": r"\textbackslash{}", "±": r"$\pm$", "–": "--", "Δ": r"$\Delta$"}
    known |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"}
    known |= {c: rf"\{c}" for c in "_%&#${}"} | {"−": "$-$"}
    return "".join(known.get(c, c) for c in text)
