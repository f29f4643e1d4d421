"""Writes the tables of finished runs: `python experiments/tables.py runs/sweep`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("tables")
