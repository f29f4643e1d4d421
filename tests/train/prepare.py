"""What a run does first: data read, configuration settled."""

from __future__ import annotations

from softnce_jax.train.config import Config
from softnce_jax.train.setup import TrainingData, read_data, settle


def prepare(config: Config) -> tuple[Config, TrainingData]:
    """The configuration with every default filled in, and its data."""
    data = read_data(config)
    return settle(config, data)[0], data
