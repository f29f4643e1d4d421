"""Fetches and prepares CodeSearchNet: `python experiments/prepare.py --lang ruby`."""

from softnce_jax import cli
from softnce_jax.train.prepare_config import PrepareConfig


def main(config: PrepareConfig) -> None:
    """Prepares the data, and fetches the models, that the flags name."""
    from softnce_jax.commands.prepare import prepare  # here, so that --help answers at once

    prepare(config)


if __name__ == "__main__":
    cli.run(main, PrepareConfig)
