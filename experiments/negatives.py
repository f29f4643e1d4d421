"""Measures how losses order the negatives: `python experiments/negatives.py`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("negatives")
