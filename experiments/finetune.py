"""Fine-tunes a text/code encoder: `python experiments/finetune.py --lang ruby`."""

from softnce_jax import cli
from softnce_jax.train.config import Config


def main(config: Config) -> None:
    """Trains or resumes the run that the flags name."""
    from softnce_jax.train.distributed import together  # here, so that --help answers at once

    with together():  # before what uses a device when it is imported
        from softnce_jax.train.compile_cache import kept_compilations
        from softnce_jax.train.fit import fit

        with kept_compilations():
            fit(config)


if __name__ == "__main__":
    cli.run(main, Config)
