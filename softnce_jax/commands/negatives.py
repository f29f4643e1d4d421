"""`softnce negatives`: do losses order the negatives differently?"""

from __future__ import annotations

import dataclasses

from softnce_jax.files import to_path
from softnce_jax.typed import OutPath

__all__ = ["Flags", "main"]


@dataclasses.dataclass(frozen=True)
class Flags:
    """Measures how losses order the negatives: nDCG of the negatives on graded data.

    One encoder for all six languages, cross-validated over families: in no fold is a family both
    trained on and tested. Resumes as sweep.py does.
    """

    estimator: str = "bm25"
    """Estimators of Soft-InfoNCE, with commas between them; InfoNCE is always run."""
    seed: str = "1234,12345,123456"
    """Seeds, with commas between them."""
    data: str = "sample"
    """sample, or data of yours with families."""
    set: tuple[str, ...] = ()
    """Any other setting of finetune.py, as epochs=2."""
    out: OutPath = "runs/negatives"
    """The folder of the runs and the table."""


def main(flags: Flags) -> None:
    """Runs the missing cells of the experiment and writes negatives.md.

    Raises:
      InputError: settings that cannot be used, data without families.
      SystemExit: a signal came (the same call goes on), or a cell failed.
    """
    from softnce_jax.sweep.negatives import experiment, write_table
    from softnce_jax.sweep.run import run_cells

    out = to_path(flags.out)
    cells = experiment(
        out, estimators=flags.estimator, seeds=flags.seed, data=flags.data, settings=flags.set
    )
    if run_cells(cells, out):
        raise SystemExit(1)
    write_table(out)
