"""Trains a sentence encoder on queries: `python experiments/train_simcse.py --lang all`."""

from softnce_jax import cli
from softnce_jax.train.simcse_config import SimcseConfig


def main(config: SimcseConfig) -> None:
    """Trains or resumes the run that the flags name."""
    from softnce_jax.train.distributed import together  # here, so that --help answers at once

    with together():  # before what uses a device when it is imported
        from softnce_jax.commands.train_simcse import train_simcse
        from softnce_jax.train.compile_cache import kept_compilations

        with kept_compilations():
            train_simcse(config)


if __name__ == "__main__":
    cli.run(main, SimcseConfig)
