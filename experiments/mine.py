"""Makes training data of a source tree: `python experiments/mine.py PATH --lang ruby --out DIR`."""

from softnce_jax import cli
from softnce_jax.data.mining.config import Config


def main(config: Config) -> None:
    """Mines the tree that the flags name."""
    from softnce_jax.data.mining.mine import mine  # here, so that --help answers at once

    mine(config)


if __name__ == "__main__":
    cli.run(main, Config)
