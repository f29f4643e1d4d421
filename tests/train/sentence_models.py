"""Small random BERT and DistilBERT folders whose vocabulary is that of the sample's queries."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
from flax.serialization import to_bytes
from transformers import (
    BertConfig,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertTokenizerFast,
    PretrainedConfig,
)

from softnce_jax.data.sample import load_sample
from tests.stock_models import bert_shapes, distilbert_shapes


def write_bert(folder: Path, *, dropout: float = 0.1) -> Path:
    config = BertConfig(
        vocab_size=write_words(folder, BertTokenizerFast),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return write_weights(folder, config, bert_shapes(config))


def write_distilbert(folder: Path, *, dropout: float = 0.1) -> Path:
    config = DistilBertConfig(
        vocab_size=write_words(folder, DistilBertTokenizerFast),
        dim=32,
        n_layers=1,
        n_heads=2,
        hidden_dim=64,
        max_position_embeddings=40,
        dropout=dropout,
        attention_dropout=dropout,
    )
    return write_weights(folder, config, distilbert_shapes(config))


def write_words(folder: Path, kind: type) -> int:
    """A tokenizer of the sample's words; returns the size of its vocabulary."""
    words = {word for pair in load_sample("python").train for word in pair.query.lower().split()}
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words)]
    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(pieces), "utf-8")
    kind(str(vocabulary)).save_pretrained(folder)
    return len(pieces)


def write_weights(folder: Path, config: PretrainedConfig, shapes) -> Path:
    """Random weights as of a fresh model, drawn by numpy: jax would compile a program for each."""
    random = np.random.default_rng(0)

    def weights(path, leaf):
        if path[-1].key in ("scale", "bias"):
            return np.full(leaf.shape, float(path[-1].key == "scale"), np.float32)
        return random.normal(scale=0.02, size=leaf.shape).astype(np.float32)

    params = jax.tree_util.tree_map_with_path(weights, shapes)
    config.save_pretrained(folder)
    (folder / "flax_model.msgpack").write_bytes(to_bytes(params))
    return folder
