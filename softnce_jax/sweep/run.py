"""Runs what is missing of a grid, in one process, one cell after the other."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

from tqdm import tqdm

from softnce_jax.errors import InputError, first_line
from softnce_jax.files import printable, read_json
from softnce_jax.sweep.grid import Cell
from softnce_jax.train.compile_cache import cached_compilations
from softnce_jax.train.config import NOT_COMPARED
from softnce_jax.train.fit import fit
from softnce_jax.train.signals import StopSignal

log = logging.getLogger(__name__)

__all__ = ["run_cells"]


class _Stored(TypedDict):
    """What is read of a cell's results.json."""

    config: dict[str, Any]


EXPECTED_ERRORS = (InputError, OSError, FloatingPointError)  # their one line says enough


def run_cells(cells: Sequence[Cell], out: Path) -> list[str]:
    """Runs every cell that has no results; a cell that fails does not stop the others.

    Args:
      cells: of a grid.
      out: the folder of the grid; compiled programs are cached in it, for later processes too.

    Returns:
      The names of the cells that failed.

    Raises:
      SystemExit: a signal came; the cell's state is saved and the same call goes on from it.
    """
    out.mkdir(parents=True, exist_ok=True)
    failed = []
    StopSignal.latest = None
    missing = [cell for cell in cells if not _is_finished(cell)]
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


def _is_finished(cell: Cell) -> bool:
    """Whether the cell has its results. Raises InputError if another run's are in its folder."""
    path = Path(cell.config.out) / "results.json"
    if not path.exists():
        return False
    stored = read_json(path, _Stored)["config"]
    for name, value in dataclasses.asdict(cell.config).items():
        default = type(cell.config).__dataclass_fields__[name].default
        # A field left at its default was filled in by the run: the stored value may differ.
        if name in NOT_COMPARED or value == default or value == stored.get(name):
            continue
        raise InputError(
            f"{path.parent} has {name} {stored.get(name)!r}, the grid {value!r}: choose another "
            "--out or remove it"
        )
    return True


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
