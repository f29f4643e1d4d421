"""A small random encoder, as a model folder that a user would name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
from transformers import RobertaConfig

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.tiny import train_tokenizer


def write_model(folder: Path, texts: list[str], *, seed: int = 0, **settings) -> Path:
    """Exports an encoder of 16 dimensions; `settings` are the Encoder's."""
    fast = train_tokenizer(texts, 300)
    config = RobertaConfig(
        vocab_size=len(fast),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=66,
        initializer_range=0.5,
    )
    encoder = Encoder(RobertaModule(config), Tokenizer(fast), "pooler", False, 12, 24)
    encoder = dataclasses.replace(encoder, **settings)
    export_model(folder, encoder, jax.jit(encoder.init)(jax.random.key(seed)))
    return folder
