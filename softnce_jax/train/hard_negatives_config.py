"""What the user gives for mining hard negatives."""

from __future__ import annotations

import dataclasses
import math

from softnce_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class HardNegativesConfig:
    """Mines hard negatives: the wrong functions that look most like the answer to each query.

    They are functions of the training split, so nothing of the other splits is seen, and each has
    a query, of which estimators make its weight. A function with the query's own url, or with the
    same code or query text, is never one. The file is what finetune.py --negatives takes.
    """

    model: str
    """What ranks them: bm25, a run or model folder, or a Hub id."""
    lang: str = "ruby"
    """ruby, javascript, go, python, java, php, or all; each language is mined by itself."""
    data: str = "auto"
    """auto (CodeSearchNet where prepared, else the sample), sample, or your folder or file."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    fold: int | None = None
    """For finetune.py --fold: the same fold's training pairs."""
    download: bool = False
    """Fetch the model from the Hub when it is not in the local cache."""
    k: int = 5
    """Negatives of each query, the most similar that ranks and margins leave."""
    ranks: tuple[int, int] = (1, 100)
    """Places among a query's wrong functions from which they are taken: the first and the last."""
    absolute_margin: float | None = None
    """How far below the own function's score a negative's must lie."""
    relative_margin: float | None = None
    """The same as a share of the own function's score: 0.05 allows 95 % of it."""
    out: str | None = None
    """The file; by default in negatives/ beside the data, with a name made from these choices."""


def check(config: HardNegativesConfig) -> None:
    """Raises InputError for numbers that cannot be used."""
    first, last = config.ranks
    if config.k < 1:
        raise InputError(f"--k {config.k} is not positive")
    if not 1 <= first <= last:
        raise InputError(f"--ranks {first} {last}: give the first, from 1, and the last")
    if last - first + 1 < config.k:
        raise InputError(
            f"--ranks {first} {last} are {last - first + 1} places, fewer than --k {config.k}"
        )
    for name in ("absolute_margin", "relative_margin"):
        value = getattr(config, name)
        if value is not None and not math.isfinite(value):
            raise InputError(f"--{name.replace('_', '-')} {value} is not a finite number")
    if config.out is not None and not config.out.endswith(".jsonl"):
        raise InputError(f"--out {config.out}: the file holds JSON lines; let it end in .jsonl")
