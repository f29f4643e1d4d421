"""Makes a static encoder: `python experiments/distill.py --model MODEL --out FOLDER`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("distill")
