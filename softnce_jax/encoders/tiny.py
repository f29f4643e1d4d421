"""A small RoBERTa for training from scratch: where too few pairs are to learn words from.

Random parameters learn the training pairs by heart. These start as a lexical matcher instead, and
training moves them from there: every token is a fixed vector whose length is its rarity, and the
first layer's attention saturates the frequency of a repeated token, as BM25 does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from transformers import RobertaConfig

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.presets import PRESETS
from softnce_jax.encoders.roberta import AnyMaskRobertaModule
from softnce_jax.encoders.tokenize import SPECIAL_TOKENS, Tokenizer, train_tokenizer

SATURATION = 0.5  # n copies of a token weigh n / (n + SATURATION), BM25's k1
SHARPNESS = 12.0  # attention score of two equal tokens; of different ones it is about 0


@dataclass(frozen=True, slots=True)
class TinyConfig:
    """Sizes of the encoder that is trained from scratch."""

    vocab_size: int = 1000
    hidden_size: int = 384
    layers: int = 1
    heads: int = 1
    intermediate_size: int = 64
    dropout: float = 0.0
    max_length: int = 256


def tiny(
    texts: Sequence[str],
    *,
    key: jax.Array,
    sizes: TinyConfig = TinyConfig(),
    dtype: str = "float32",
) -> tuple[Encoder, dict[str, Any]]:
    """A small RoBERTa with its own tokenizer, and the parameters that training starts from.

    Args:
      texts: questions and functions of the training split.
      key: of the random directions; the same texts and key give the same parameters.
      sizes: of the tokenizer and the network.
      dtype: of the computation; parameters are float32.

    Returns:
      The Encoder and its parameters, a tree under RoBERTa's published names.

    Example:
      >>> sizes = TinyConfig(vocab_size=300, hidden_size=32)
      >>> encoder, params = tiny(["def add(a, b)"], key=jax.random.key(0), sizes=sizes)
      >>> encoder.embed(params, encoder.tokenizer.tokenize(["add"], 8)).shape
      (1, 32)
    """
    texts = list(texts)
    fast = train_tokenizer(texts, sizes.vocab_size)
    ids = {name: fast.convert_tokens_to_ids(token) for name, token in SPECIAL_TOKENS.items()}
    config = RobertaConfig(
        vocab_size=len(fast),
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.intermediate_size,
        hidden_dropout_prob=sizes.dropout,
        attention_probs_dropout_prob=sizes.dropout,
        max_position_embeddings=sizes.max_length + ids["pad_token"] + 1,
        type_vocab_size=1,
        layer_norm_eps=1.0,  # far above the variance, so a token keeps the length of its vector
    )
    chosen = PRESETS["tiny"]
    encoder = Encoder(
        AnyMaskRobertaModule(config, dtype=jnp.dtype(dtype)),
        Tokenizer(fast),
        pooling=chosen.pooling,
        normalize=True,
        query_length=min(chosen.query_length, sizes.max_length),
        code_length=min(chosen.code_length, sizes.max_length),
    )
    return encoder, initial_params(encoder, texts, key)


def initial_params(encoder: Encoder, texts: Sequence[str], key: jax.Array) -> dict[str, Any]:
    """Parameters of a bag of saturated, rarity-weighted tokens.

    A quarter of a token's vector says which token it is, for attention alone; the rest is content.
    """
    params = encoder.init(key)
    names = min(encoder.config.hidden_size // 4, params_head_size(encoder))
    tables, layers = params["embeddings"], params["encoder"]["layer"]
    words_VD = word_vectors(rarity(encoder.tokenizer, texts), names, encoder.config, key)
    tables["word_embeddings"]["embedding"] = words_VD
    for table in ("position_embeddings", "token_type_embeddings"):
        tables[table]["embedding"] *= 0.0
    for layer in layers.values():  # no layer does anything yet
        layer["attention"]["output"]["dense"]["kernel"] *= 0.0
        layer["output"]["dense"]["kernel"] *= 0.0
    saturate(layers["0"]["attention"], names, encoder.config)
    return params


def params_head_size(encoder: Encoder) -> int:
    return encoder.config.hidden_size // encoder.config.num_attention_heads


def rarity(tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """log((T + 1) / (t + 1/2)) of tokens in t of T texts, 1 at most; 0 for the special tokens."""
    count_V = np.zeros(tokenizer.vocab_size)
    for ids in tokenizer.tokenize(texts, 10**6):
        count_V[list(set(ids))] += 1
    rarity_V = np.log((len(texts) + 1) / (np.maximum(count_V, 1) + 0.5))
    rarity_V[: len(SPECIAL_TOKENS)] = 0.0
    return rarity_V / rarity_V.max()


def word_vectors(rarity_V, names: int, config: RobertaConfig, key: jax.Array) -> jax.Array:
    """Unit vectors of the names beside unit vectors of the content times rarity."""

    def directions(key, size):
        frame = jax.nn.initializers.orthogonal()(key, (len(rarity_V), size))
        frame -= frame.mean(axis=1, keepdims=True)
        return frame / jnp.linalg.norm(frame, axis=1, keepdims=True)

    name_key, content_key = jax.random.split(key)
    is_word_V1 = jnp.asarray(rarity_V > 0)[:, None]
    name = jnp.pad(directions(name_key, names - 1) * is_word_V1, ((0, 0), (1, 0)))
    name = name.at[0, 0].set(1.0)  # <s>
    content = directions(content_key, config.hidden_size - names) * jnp.asarray(rarity_V)[:, None]
    return jnp.concatenate([name, content], axis=1).astype(jnp.float32)


def saturate(attention: dict[str, Any], names: int, config: RobertaConfig) -> None:
    """Sets attention so that a token occurring n times becomes x - n x / (n + SATURATION).

    It attends to its n copies, and to <s>, whose content is 0, as to SATURATION copies more.
    """
    hidden, heads = config.hidden_size, config.num_attention_heads
    size = hidden // heads
    gain = math.sqrt(SHARPNESS * math.sqrt(size))
    match = np.zeros((hidden, heads, size), np.float32)
    match[np.arange(names), :, np.arange(names)] = gain
    bias = np.zeros((heads, size), np.float32)
    bias[:, 0] = gain * (1 + math.log(SATURATION) / SHARPNESS)
    content = np.diag((np.arange(hidden) >= names).astype(np.float32))
    inner, output = attention["self"], attention["output"]
    inner["query"] = {
        "kernel": jnp.asarray(match.reshape(hidden, hidden)),
        "bias": jnp.asarray(bias.ravel()),
    }
    inner["key"]["kernel"] = jnp.asarray(match.reshape(hidden, hidden))
    inner["value"]["kernel"] = jnp.asarray(content)
    output["dense"]["kernel"] = -jnp.asarray(content)
    output["LayerNorm"]["scale"] = jnp.diag(content)  # drops the names
