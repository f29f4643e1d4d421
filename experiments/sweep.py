"""Runs a grid of runs and writes its tables: `python experiments/sweep.py --lang ruby,go`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("sweep")
