"""Makes a static model smaller: `python experiments/quantize.py --model RUN --out FOLDER`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("quantize")
