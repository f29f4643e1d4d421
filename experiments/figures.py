"""Draws the figures of finished runs: `python experiments/figures.py runs/sweep`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("figures")
