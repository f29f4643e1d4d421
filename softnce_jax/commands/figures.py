"""`softnce figures`: pictures of finished runs."""

from __future__ import annotations

import dataclasses

from tyro.conf import Positional

from softnce_jax.typed import OutPath

__all__ = ["Flags", "main"]


@dataclasses.dataclass(frozen=True)
class Flags:
    """Draws the figures of finished runs, as PNG and SVG."""

    runs: Positional[str]
    """The folder of a sweep."""
    out: OutPath = "figures"
    """The folder of the pictures."""


def main(flags: Flags) -> None:
    """Draws the figures that there are runs for."""
    from softnce_jax.sweep.figures import draw

    draw(flags.runs, flags.out)
