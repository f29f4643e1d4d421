"""A small random encoder, as a model folder that a user would name."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import jax
from transformers import RobertaConfig

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.tiny import train_tokenizer

CONFIG = RobertaConfig(
    vocab_size=300,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=66,
    initializer_range=0.5,
)


def make_encoder(texts: list[str]) -> Encoder:
    tokenizer = Tokenizer(train_tokenizer(texts, CONFIG.vocab_size))
    return Encoder(RobertaModule(CONFIG), tokenizer, "pooler", False, 12, 24)


@functools.cache
def parameters(seed: int) -> dict:
    """Random parameters, which do not depend on the texts; tests share them."""
    return jax.device_get(jax.jit(make_encoder(["any text"]).init)(jax.random.key(seed)))


def write_model(folder: Path, texts: list[str], *, seed: int = 0, **settings) -> Path:
    """Exports an encoder of 16 dimensions; `settings` are the Encoder's."""
    encoder = dataclasses.replace(make_encoder(texts), **settings)
    export_model(folder, encoder, parameters(seed))
    return folder
