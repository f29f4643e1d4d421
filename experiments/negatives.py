"""Measures how losses order the negatives: `python experiments/negatives.py`."""

from softnce_jax import cli
from softnce_jax.sweep.config import NegativesConfig


def main(config: NegativesConfig) -> None:
    """Runs the experiment that the flags name."""
    from softnce_jax.sweep.negatives import negatives  # here, so that --help answers at once

    negatives(config)


if __name__ == "__main__":
    cli.run(main, NegativesConfig)
