"""Mines hard negatives: `python experiments/mine_negatives.py --lang ruby --model bm25`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("mine-negatives")
