"""Writes the tables of finished runs: `python experiments/tables.py runs/sweep`."""

from softnce_jax import cli
from softnce_jax.sweep.config import TablesConfig


def main(config: TablesConfig) -> None:
    """Reads the runs that the flags name."""
    from softnce_jax.sweep.programs import tables  # here, so that --help answers at once

    tables(config)


if __name__ == "__main__":
    cli.run(main, TablesConfig)
