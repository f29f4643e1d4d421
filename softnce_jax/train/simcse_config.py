"""The configuration of SimCSE, and the fine-tuning that it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from softnce_jax.errors import InputError
from softnce_jax.train.config import Config, resolve

BATCH_SIZE = 256


@dataclasses.dataclass(frozen=True)
class SimcseConfig:
    """Trains a sentence encoder on queries alone (unsupervised SimCSE).

    Two dropout passes of a query are a positive pair, the other queries of the batch negatives.
    Defaults are the paper's. The run's model/ is what --sentence-model takes.
    """

    lang: str = "all"
    """ruby, javascript, go, python, java, php, or all."""
    data: str = "auto"
    """auto (CodeSearchNet where prepared, else the sample), sample, or your folder or file."""
    strict: bool = False
    """Make unusable rows an error instead of skipping and counting them."""
    model: str = "sentence-transformers/msmarco-distilbert-dot-v5"
    """A BERT, DistilBERT or RoBERTa to start from: a Hub id or a local folder."""
    download: bool = False
    """Fetch the model from the Hub when it is not in the local cache."""
    temperature: float = 0.07
    """Divides the cosines."""
    epochs: int = 10
    """Passes over the different training queries."""
    batch_size: int | None = None
    """Queries a step, over all devices; 256, or all where they are fewer."""
    learning_rate: float = 5e-4
    """The peak; it falls linearly to 0."""
    weight_decay: float = 0.0
    """AdamW's decay, sparing biases and LayerNorm."""
    warmup_epochs: float = 0.0
    """Epochs over which the learning rate rises from 0."""
    clip_norm: float = 1.0
    """Largest global norm of the gradients."""
    query_length: int = 128
    """Tokens of a query."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """The encoder's arithmetic; parameters and loss stay float32."""
    seed: int = 1234
    """Of batches and dropout."""
    evaluate_every: float = 1.0
    """Epochs between evaluations on the validation queries, each followed by a checkpoint."""
    keep: int = 2
    """Latest checkpoints kept."""
    out: str | None = None
    """The run's folder; by default runs/ and a name made from these choices."""


def settle(config: SimcseConfig, *, queries: int) -> tuple[SimcseConfig, Config, list[str]]:
    """Fills in what was left out, and says which fine-tuning this is.

    It is InfoNCE of queries with themselves as their code, 1/temperature the scale: the step
    embeds a query and its code as two texts, each with dropout of its own.

    Args:
      config: as given.
      queries: how many different training queries there are.

    Returns:
      The configuration without any None, that of fine-tuning, and lines to tell the user.

    Raises:
      InputError: choices that contradict one another or the data, with both values.
    """
    if not config.temperature > 0:
        raise InputError(f"--temperature {config.temperature} is not positive")
    notes = []
    if config.batch_size is None:
        config = dataclasses.replace(config, batch_size=min(BATCH_SIZE, queries))
        if queries < BATCH_SIZE:
            notes.append(f"batch size {BATCH_SIZE} -> {queries}: all different training queries")
    out = config.out or f"runs/simcse-{config.lang}-{Path(config.model).name}-{config.seed}"
    config = dataclasses.replace(config, out=out)
    shared = dataclasses.asdict(config)
    model, temperature = shared.pop("model"), shared.pop("temperature")
    finetuning = Config(
        **shared,
        encoder=model,
        code_length=config.query_length,
        dataflow="none",
        attention_dropout="elementwise",  # shared ones would be the same in both passes
        loss="infonce",
        scale=1 / temperature,
    )
    return config, resolve(finetuning, on_sample=False, train_pairs=queries)[0], notes
