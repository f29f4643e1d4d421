"""A table of text as Markdown and as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


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
