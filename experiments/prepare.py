"""Fetches and prepares CodeSearchNet: `python experiments/prepare.py --lang ruby`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("prepare")
