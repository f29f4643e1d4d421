"""Makes training data of a source tree: `python experiments/mine.py PATH --lang ruby --out DIR`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("mine")
