"""Runs a grid of runs and writes its tables: `python experiments/sweep.py --lang ruby,go`."""

from softnce_jax import cli
from softnce_jax.sweep.config import SweepConfig


def main(config: SweepConfig) -> None:
    """Runs the grid that the flags name."""
    from softnce_jax.sweep.programs import sweep  # here, so that --help answers at once

    sweep(config)


if __name__ == "__main__":
    cli.run(main, SweepConfig)
