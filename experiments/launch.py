"""Runs a program as several processes: `launch.py -- experiments/finetune.py --lang ruby`."""

from softnce_jax import cli
from softnce_jax.train.launch import Launch, launch

if __name__ == "__main__":
    cli.run(launch, Launch)
