"""Draws the figures of finished runs: `python experiments/figures.py runs/sweep`."""

from softnce_jax import cli
from softnce_jax.sweep.config import FiguresConfig


def main(config: FiguresConfig) -> None:
    """Reads the runs that the flags name."""
    from softnce_jax.sweep.figures import draw  # here, so that --help answers at once

    draw(config)


if __name__ == "__main__":
    cli.run(main, FiguresConfig)
