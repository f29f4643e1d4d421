"""Evaluates any model on any data: `python experiments/evaluate.py --model RUN --lang ruby`."""

from softnce_jax import cli
from softnce_jax.train.config import EvaluateConfig


def main(config: EvaluateConfig) -> None:
    """Scores the model that the flags name."""
    from softnce_jax.commands.evaluate import evaluate  # here, so that --help answers at once
    from softnce_jax.train.compile_cache import kept_compilations

    with kept_compilations():
        evaluate(config)


if __name__ == "__main__":
    cli.run(main, EvaluateConfig)
