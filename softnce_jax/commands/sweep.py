"""`softnce sweep`: a grid of runs and its tables."""

from __future__ import annotations

import dataclasses

from softnce_jax.files import to_path
from softnce_jax.typed import OutPath

__all__ = ["Flags", "main"]


@dataclasses.dataclass(frozen=True)
class Flags:
    """Trains and evaluates every cell of a grid, then writes its tables.

    Flags take several values with commas between them. Each cell is a run folder in --out, as
    finetune.py makes it; the same command resumes, and runs only what is missing.
    """

    grid: str | None = None
    """A TOML file with the grid; flags replace its top-level values."""
    lang: str | None = None
    """Languages, each with an encoder of its own, or all for one encoder of all; by default each of
    the six."""
    encoder: str | None = None
    """Encoders; auto by default."""
    loss: str | None = None
    """Losses, package.module:function among them; infonce,soft_infonce by default."""
    estimator: str | None = None
    """Estimators of the losses that need one; bm25 by default."""
    seed: str | None = None
    """Seeds; those of the paper by default, 1234,12345,123456."""
    data: str | None = None
    """auto, sample, or a folder or file of yours, as for finetune.py."""
    set: tuple[str, ...] = ()
    """Any other setting of finetune.py, as epochs=2 or alpha=1.3,1.5."""
    out: OutPath = "runs/sweep"
    """The folder of the runs and the tables."""


def main(flags: Flags) -> None:
    """Runs the missing cells of a grid and writes the tables of the finished ones.

    Raises:
      InputError: a grid that cannot be run, before any work.
      SystemExit: a signal came (the same call goes on), or a cell failed.
    """
    from softnce_jax.sweep.grid import make_grid
    from softnce_jax.sweep.run import run_cells
    from softnce_jax.sweep.tables import write_tables

    texts = dataclasses.asdict(flags)
    out, grid, settings = to_path(texts.pop("out")), texts.pop("grid"), texts.pop("set")
    cells = make_grid(out, grid=grid, texts=texts, settings=settings)
    failed = run_cells(cells, out)
    if len(failed) < len(cells):
        write_tables(out, out)
    if failed:
        raise SystemExit(1)
