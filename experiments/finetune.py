"""Fine-tunes a text/code encoder: `python experiments/finetune.py --lang ruby`."""

from softnce_jax.cli import run

if __name__ == "__main__":
    run("finetune")
