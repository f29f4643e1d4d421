"""What the user gives for a grid of runs, and for its tables and figures."""

from __future__ import annotations

import dataclasses

from tyro.conf import Positional

from softnce_jax.data.corpus import LANGUAGES


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """Trains and evaluates every cell of a grid, then writes its tables.

    Flags take several values with commas between them. Each cell is a run folder in --out, as
    finetune.py makes it; the same command resumes, and does only what is missing.
    """

    grid: str | None = None
    """A TOML file with the grid; flags replace its top-level values."""
    lang: str | None = None
    """Languages, each with its own encoder; all for one encoder of all. Default: the six."""
    encoder: str | None = None
    """Encoders; auto by default."""
    loss: str | None = None
    """Losses; infonce,soft_infonce by default."""
    estimator: str | None = None
    """Estimators of the losses that need one; bm25 by default."""
    seed: str | None = None
    """Seeds; those of the paper by default, 1234,12345,123456."""
    data: str | None = None
    """auto, sample, or a folder or file of yours, as for finetune.py."""
    set: tuple[str, ...] = ()
    """Any other setting of finetune.py, as epochs=2 or alpha=1.3,1.5."""
    out: str = "runs/sweep"
    """The folder of the runs and the tables."""


DEFAULTS = {
    "lang": list(LANGUAGES),
    "encoder": ["auto"],
    "loss": ["infonce", "soft_infonce"],
    "estimator": ["bm25"],
    "seed": [1234, 12345, 123456],
}


@dataclasses.dataclass(frozen=True)
class NegativesConfig:
    """Measures how losses order the negatives: nDCG of the negatives on graded data.

    One encoder for all six languages, cross-validated over families: of each fold's runs, nothing
    tested has a family that was trained on. Resumes as sweep.py does.
    """

    estimator: str = "bm25"
    """Estimators of Soft-InfoNCE, with commas between them; InfoNCE is always there."""
    seed: str = "1234,12345,123456"
    """Seeds, with commas between them."""
    data: str = "sample"
    """sample, or data of yours with families."""
    set: tuple[str, ...] = ()
    """Any other setting of finetune.py, as epochs=2."""
    out: str = "runs/negatives"
    """The folder of the runs and the table."""


@dataclasses.dataclass(frozen=True)
class TablesConfig:
    """Writes the tables of finished runs, in the layout of the paper's, as Markdown and LaTeX."""

    runs: Positional[str]
    """The folder of a sweep."""
    out: str | None = None
    """Where tables.md and tables.tex go; the same folder by default."""


@dataclasses.dataclass(frozen=True)
class FiguresConfig:
    """Draws the figures of finished runs, as PNG and SVG."""

    runs: Positional[str]
    """The folder of a sweep."""
    out: str = "figures"
    """Where the pictures go."""
