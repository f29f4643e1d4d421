"""Runs what is missing of a grid, in one process, one cell after the other."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from softnce_jax.errors import InputError, first_line
from softnce_jax.sweep.grid import Cell
from softnce_jax.train.compile_cache import cached_compilations
from softnce_jax.train.config import NOT_COMPARED
from softnce_jax.train.fit import fit
from softnce_jax.train.signals import StopSignal

log = logging.getLogger(__name__)

TOLD = (InputError, OSError, FloatingPointError)  # errors whose one line says it all


def run_cells(cells: Sequence[Cell], out: Path) -> list[str]:
    """Runs every cell that has no results; a cell that fails does not stop the others.

    Args:
      cells: of a grid.
      out: the folder of the grid; compilations are kept in it, for this process and later ones.

    Returns:
      The names of the cells that failed.

    Raises:
      SystemExit: a signal came; the cell's state is saved and the same call goes on from it.
    """
    out.mkdir(parents=True, exist_ok=True)
    failed = []
    StopSignal.latest = None
    missing = [cell for cell in cells if not is_finished(cell)]
    with (
        cached_compilations(out / ".compiled"),
        _quiet(),
        _progress_bar(cells, missing) as bar,
    ):
        for cell in missing:
            bar.set_postfix_str(cell.name)
            try:
                bar.write(f"{cell.name}: {headline(fit(cell.config))}")
            except Exception as error:  # the other cells are worth running whatever it is
                if not isinstance(error, TOLD):
                    traceback.print_exc()
                failed.append(cell.name)
                reason = first_line(error)
                bar.write(f"{cell.name}: failed: {reason}")
            bar.update()
            if StopSignal.latest is not None:  # in the cell's last step, or in one that failed
                raise SystemExit(128 + StopSignal.latest)
    finished = len(cells) - len(failed)
    log.info(
        f"{finished} of {len(cells)} cells finished, {len(cells) - len(missing)} of them before"
    )
    for name in failed:
        log.info(f"failed: {name}")
    return failed


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what each run logs from the terminal; the grid has a line for it."""
    package = logging.getLogger("softnce_jax")
    level = package.level
    package.setLevel(logging.WARNING)
    try:
        yield
    finally:
        package.setLevel(level)


def is_finished(cell: Cell) -> bool:
    """Whether the cell's folder holds its results. Raises InputError if they are of another run."""
    path = Path(cell.config.out) / "results.json"
    if not path.exists():
        return False
    stored = json.loads(path.read_text("utf-8"))["config"]
    for name, value in dataclasses.asdict(cell.config).items():
        default = type(cell.config).__dataclass_fields__[name].default
        if name in NOT_COMPARED or value == default or value == stored.get(name):
            continue
        raise InputError(
            f"{path.parent} has {name} {stored.get(name)!r}, the grid {value!r}: choose another "
            "--out or remove it"
        )
    return True


def headline(results: dict) -> str:
    """The MRR of a run beside BM25's, of all its languages.

    Example:
      >>> mrr = {"mrr": {"value": 0.25, "low": 0.2, "high": 0.3}}
      >>> headline({"metrics": {"go": {"BM25": mrr, "trained": mrr}}})
      'MRR 0.250 (BM25 0.250)'
    """
    systems = list(results["metrics"].values())[-1]
    ours, bm25 = (systems[name]["mrr"]["value"] for name in ("trained", "BM25"))
    return f"MRR {ours:.3f} (BM25 {bm25:.3f})"


def _progress_bar(cells: Sequence[Cell], missing: Sequence[Cell]) -> tqdm:
    calm = 0.2 if sys.stderr.isatty() else 0
    finished = len(cells) - len(missing)
    return tqdm(total=len(cells), initial=finished, desc="grid", unit="cell", mininterval=calm)
