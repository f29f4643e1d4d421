"""Mines hard negatives: `python experiments/mine_negatives.py --lang ruby --model bm25`."""

from softnce_jax import cli
from softnce_jax.train.hard_negatives_config import HardNegativesConfig


def main(config: HardNegativesConfig) -> None:
    """Writes the file that finetune.py --negatives takes."""
    from softnce_jax.commands.mine_negatives import mine_negatives  # here, so that --help answers

    mine_negatives(config)


if __name__ == "__main__":
    cli.run(main, HardNegativesConfig)
