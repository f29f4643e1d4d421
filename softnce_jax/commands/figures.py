"""`softnce figures`: pictures of finished runs."""

from __future__ import annotations

import dataclasses

from tyro.conf import Positional


@dataclasses.dataclass(frozen=True)
class Flags:
    """Draws the figures of finished runs, as PNG and SVG."""

    runs: Positional[str]
    """The folder of a sweep."""
    out: str = "figures"
    """Where the pictures go."""


def main(flags: Flags) -> None:
    """Draws what the runs in a folder have something for."""
    from softnce_jax.sweep.figures import draw

    draw(flags.runs, flags.out)
