"""Runs what is missing of a grid, in one process, one cell after the other."""

from __future__ import annotations

import contextlib
import itertools
import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from softnce_jax.errors import InputError, first_line
from softnce_jax.files import printable
from softnce_jax.mesh import devices
from softnce_jax.sweep.grid import Cell
from softnce_jax.train.compile_cache import cached_compilations
from softnce_jax.train.fit import fit, read_inputs
from softnce_jax.train.run_folder import RunFolder, has_results
from softnce_jax.train.setup import read_data
from softnce_jax.train.signals import StopSignal
from softnce_jax.train.tensorboard import check_installed

log = logging.getLogger(__name__)

__all__ = ["run_cells"]


EXPECTED_ERRORS = (InputError, OSError, FloatingPointError)  # their one line says enough


def run_cells(cells: Sequence[Cell], out: Path) -> list[str]:
    """Runs every cell that has no results; a cell that fails does not stop the others.

    A cell that has some is compared first, as `fit` compares a run.

    Args:
      cells: of a grid.
      out: the folder of the grid; compiled programs are cached in it, for later processes too.

    Returns:
      The names of the cells that failed.

    Raises:
      InputError: jax has no device; a folder holds the results of another run, or a finished cell's
        data or models are gone.
      SystemExit: a signal came; the cell's state is saved and the same call goes on from it.
    """
    devices()  # none is no matter of a cell, nor is a package
    for log_to in {cell.config.log for cell in cells}:
        check_installed(log_to)
    out.mkdir(parents=True, exist_ok=True)
    failed = []
    StopSignal.latest = None
    missing = _missing(cells)
    bar = _progress_bar(cells, missing)
    with cached_compilations(out / ".compiled"), _only_warnings(), bar:
        for cell in missing:
            bar.set_postfix_str(cell.name)
            try:
                bar.write(f"{cell.name}: {_headline(fit(cell.config))}")
            except Exception as error:  # whatever it is, the other cells are worth running
                if not isinstance(error, EXPECTED_ERRORS):
                    traceback.print_exc()
                failed.append(cell.name)
                bar.write(f"{cell.name}: failed: {printable(first_line(error))}")
            bar.update()
            # `fit` stops at a signal, but not in a run's last step, nor where the run fails.
            if StopSignal.latest is not None:
                raise SystemExit(128 + StopSignal.latest)
    finished = len(cells) - len(failed)
    log.info(
        f"{finished} of {len(cells)} cells finished, {len(cells) - len(missing)} of them before"
    )
    for name in failed:
        log.info(f"failed: {name}")
    return failed


@contextlib.contextmanager
def _only_warnings() -> Iterator[None]:
    """Keeps the lines of each run from the terminal; the grid prints one line per run."""
    package = logging.getLogger("softnce_jax")
    level = package.level
    package.setLevel(logging.WARNING)
    try:
        yield
    finally:
        package.setLevel(level)


def _missing(cells: Sequence[Cell]) -> list[Cell]:
    """The cells without results of their own data and models, as `fit` would compare them.

    Raises:
      InputError: a cell's folder holds the results of another run.
    """
    without = {c.config.out for c in cells if not has_results(c.config.out)}
    # Where a teacher is trained first, it is not known yet whether a cell's is still the same.
    missing = {c.config.out for c in cells if {c.config.out, c.config.teacher} & without}
    finished = sorted((c for c in cells if c.config.out not in missing), key=_data_key)
    for _, group in itertools.groupby(finished, _data_key):
        configs = [cell.config for cell in group]
        data = read_data(configs[0])
        for config in configs:
            RunFolder(config.out, read_inputs(config, data).identity)
    return [cell for cell in cells if cell.config.out in missing]


def _data_key(cell: Cell) -> str:
    """The same for cells of the same data, which are read once and not kept."""
    names = ("data", "lang", "strict", "fold", "negatives", "negatives_per_query")
    seed = cell.config.seed if cell.config.negatives else None
    return repr([seed, *(getattr(cell.config, name) for name in names)])


def _headline(results: dict) -> str:
    """The MRR of a run beside BM25's, the mean over languages where there are several.

    Example:
      >>> mrr = {"mrr": {"value": 0.25, "low": 0.2, "high": 0.3}}
      >>> _headline({"metrics": {"go": {"BM25": mrr, "trained": mrr}}})
      'MRR 0.250 (BM25 0.250)'
    """
    systems = list(results["metrics"].values())[-1]
    ours, bm25 = (systems[name]["mrr"]["value"] for name in ("trained", "BM25"))
    return f"MRR {ours:.3f} (BM25 {bm25:.3f})"


def _progress_bar(cells: Sequence[Cell], missing: Sequence[Cell]) -> tqdm:
    # In a log file every cell is a line; on a terminal the line is redrawn, not too often.
    interval = 0.2 if sys.stderr.isatty() else 0
    finished = len(cells) - len(missing)
    return tqdm(total=len(cells), initial=finished, desc="grid", unit="cell", mininterval=interval)
