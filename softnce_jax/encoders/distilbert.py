"""DistilBERT as BERT: the same network without token types and pooler, under names of its own.

One thing differs in training: BERT drops the output of attention too, DistilBERT does not.
"""

from __future__ import annotations

import numpy as np
from transformers import BertConfig, DistilBertConfig

from softnce_jax.pretrained.convert import WORDS

NAMES = {
    "transformer.layer.": "encoder.layer.",
    "attention.q_lin.": "attention.self.query.",
    "attention.k_lin.": "attention.self.key.",
    "attention.v_lin.": "attention.self.value.",
    "attention.out_lin.": "attention.output.dense.",
    "sa_layer_norm.": "attention.output.LayerNorm.",
    "ffn.lin1.": "intermediate.dense.",
    "ffn.lin2.": "output.dense.",
    "output_layer_norm.": "output.LayerNorm.",
}
TYPES = "embeddings.token_type_embeddings.weight"


def as_bert_config(config: DistilBertConfig) -> BertConfig:
    """The configuration of the BERT that computes the same.

    Example:
      >>> as_bert_config(DistilBertConfig(dim=8, n_heads=2, activation="relu")).hidden_act
      'relu'
    """
    return BertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.dim,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        intermediate_size=config.hidden_dim,
        hidden_act=config.activation,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.attention_dropout,
        max_position_embeddings=config.max_position_embeddings,
        type_vocab_size=1,
        initializer_range=config.initializer_range,
        layer_norm_eps=1e-12,
        pad_token_id=config.pad_token_id,
    )


def is_distilbert(tensors: dict[str, np.ndarray]) -> bool:
    """Whether the tensors have DistilBERT's names."""
    return any("attention.q_lin." in name for name in tensors)


def as_bert_tensors(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """DistilBERT's tensors under BERT's published names, and a token type of zeros.

    Args:
      tensors: name → array in PyTorch's layout; names may share a prefix ("distilbert.").

    Returns:
      Name → array; there is no pooler.

    Example:
      >>> words = {"distilbert.embeddings.word_embeddings.weight": np.ones((9, 4))}
      >>> {name: tensor.shape for name, tensor in as_bert_tensors(words).items()}
      {'distilbert.embeddings.word_embeddings.weight': (9, 4),
       'distilbert.embeddings.token_type_embeddings.weight': (1, 4)}
    """
    renamed = {bert_name(name): tensor for name, tensor in tensors.items()}
    types = {
        name.removesuffix(WORDS) + TYPES: np.zeros((1, tensor.shape[1]), np.float32)
        for name, tensor in tensors.items()
        if name.endswith(WORDS)
    }
    return renamed | types


def bert_name(name: str) -> str:
    """BERT's name for a tensor of DistilBERT.

    Example:
      >>> bert_name("transformer.layer.3.attention.q_lin.bias")
      'encoder.layer.3.attention.self.query.bias'
    """
    for theirs, berts in NAMES.items():
        name = name.replace(theirs, berts)
    return name
