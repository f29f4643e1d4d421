"""Trains a sentence encoder on queries: `python experiments/train_simcse.py --lang all`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("train-simcse")
