"""What experiments/sweep.py and experiments/tables.py do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from softnce_jax.sweep.config import SweepConfig, TablesConfig
from softnce_jax.sweep.grid import make_grid
from softnce_jax.sweep.run import run_cells
from softnce_jax.sweep.tables import write_tables


def sweep(config: SweepConfig, say: Callable[[str], None] = print) -> None:
    """Runs what is missing of a grid and writes the tables of what is there.

    Raises:
      InputError: a grid that cannot be, before any work.
      SystemExit: a signal came (the same call goes on), or a cell failed.
    """
    cells = make_grid(config)
    failed = run_cells(cells, Path(config.out), say)
    if len(failed) < len(cells):
        write_tables(config.out, config.out, say)
    if failed:
        raise SystemExit(1)


def tables(config: TablesConfig) -> None:
    """Writes the tables of the runs that are there."""
    write_tables(config.runs, config.out or config.runs)
