"""Models for estimators: folders of small random BERTs, as a user would name them."""

from __future__ import annotations

import dataclasses

import jax
import pytest
from transformers import RobertaConfig

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.export import export_model
from softnce_jax.encoders.roberta import AnyMaskRobertaModule
from softnce_jax.encoders.tokenize import Tokenizer, train_tokenizer

QUERIES = ["sort a list", "read the lines of a file", "add", "sort a list", "a b c " * 40]
CODES = [f"def f{i}(x): return x + {i} * {'y' * i}" for i in range(5)]


@pytest.fixture(scope="session")
def model():
    """A random encoder whose vectors have any length, and its parameters."""
    fast = train_tokenizer([*QUERIES, *CODES], 300)
    config = RobertaConfig(
        vocab_size=len(fast),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=66,
        initializer_range=0.5,
    )
    encoder = Encoder(AnyMaskRobertaModule(config), Tokenizer(fast), "pooler", False, 12, 24)
    return encoder, encoder.init(jax.random.key(0))


@pytest.fixture(scope="session")
def model_folder(model, tmp_path_factory):
    """The encoder, exported."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    export_model(folder, *model)
    return folder


@pytest.fixture(scope="session")
def other_folder(model, tmp_path_factory):
    """The encoder with other parameters, exported at unit length and with shorter rows."""
    encoder = dataclasses.replace(model[0], normalize=True, query_length=6)
    folder = tmp_path_factory.mktemp("other") / "model"
    export_model(folder, encoder, encoder.init(jax.random.key(1)))
    return folder
