"""`softnce tables`: the tables of finished runs."""

from __future__ import annotations

import dataclasses

from tyro.conf import Positional

from softnce_jax.typed import OutPath

__all__ = ["Flags", "main"]


@dataclasses.dataclass(frozen=True)
class Flags:
    """Writes the tables of finished runs, in the layout of the paper's, as Markdown and LaTeX."""

    runs: Positional[str]
    """The folder of a sweep."""
    out: OutPath | None = None
    """Where tables.md and tables.tex go; the same folder by default."""


def main(flags: Flags) -> None:
    """Writes the tables of the finished runs."""
    from softnce_jax.sweep.tables import write_tables

    write_tables(flags.runs, flags.out or flags.runs)
