"""Evaluates any model on any data: `python experiments/evaluate.py --model RUN --lang ruby`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("evaluate")
