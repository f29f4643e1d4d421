"""A small RoBERTa to train from scratch on pairs that are too few to learn words from.

From random parameters it would memorise its pairs. It starts as a lexical matcher instead: every
token has a random direction, all equally long, and the first layer's attention saturates the
frequency of a repeated token as BM25 does. Training learns which tokens matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend
from transformers import PreTrainedTokenizerFast, RobertaConfig

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.prompts import LONGEST_TEXT
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer, as_fast
from softnce_jax.errors import check_texts
from softnce_jax.pretrained.presets import PRESETS

__all__ = ["SPECIAL_TOKENS", "TinyConfig", "tiny", "train_tokenizer"]

SATURATION = 0.5  # n copies of a token weigh as n / (n + SATURATION): BM25's k1
SHARPNESS = 12.0  # attention score of equal tokens; that of different ones is about 0
# The embeddings' content is this much smaller than what LayerNorm's scale makes of it. Adam moves
# every number equally far, so words move that much faster than the rest, which would only memorise.
GAIN = 100.0
# Ids 0 to 3 are not words: BM25 skips them.
SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
# Where the next word of an identifier begins: foo|Bar, HTTP|Server.
WORD_STARTS = r"(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})"


@dataclass(frozen=True, slots=True)
class TinyConfig:
    """Sizes of the encoder."""

    vocab_size: int = 1000
    hidden_size: int = 768
    layers: int = 1
    heads: int = 1
    max_length: int = 256


def tiny(
    texts: Iterable[str],
    *,
    key: jax.Array,
    sizes: TinyConfig = TinyConfig(),
    dtype: str = "float32",
) -> tuple[Encoder, dict[str, Any]]:
    """A small RoBERTa with its own tokenizer, and its initial parameters.

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
      >>> ids = encoder.tokenizer.pad(encoder.tokenizer.tokenize(["add", "sum"], 8), 8)
      >>> jax.jit(encoder.embed)(params, ids).shape
      (2, 32)
    """
    fast = train_tokenizer(texts, sizes.vocab_size)
    config = RobertaConfig(
        vocab_size=len(fast),
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=max(8, sizes.hidden_size // 6),
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=sizes.max_length + fast.pad_token_id + 1,
        type_vocab_size=1,
        layer_norm_eps=1.0,  # far above the variance: vectors keep their lengths
    )
    chosen = PRESETS["tiny"]
    lengths = (
        min(length, sizes.max_length) for length in (chosen.query_length, chosen.code_length)
    )
    module = RobertaModule(config, dtype=jnp.dtype(dtype))
    encoder = Encoder(module, Tokenizer(fast), chosen.pooling, True, *lengths)
    return encoder, _matcher(encoder, key)


def _matcher(encoder: Encoder, key: jax.Array) -> dict[str, Any]:
    """Parameters of a bag of words whose repetitions saturate; the rest of the network adds nothing

    The first numbers of an embedding are the token's name, which only attention uses; the others
    are its content.
    """
    hidden, heads = encoder.config.hidden_size, encoder.config.num_attention_heads
    names = min(hidden // 8, hidden // heads)
    params = encoder.init(key)
    tables, layers = params["embeddings"], params["encoder"]["layer"]
    for table in (tables["position_embeddings"], tables["token_type_embeddings"]):
        table["embedding"] *= 0.0
    for layer in layers.values():
        for dense in (layer["attention"]["output"]["dense"], layer["output"]["dense"]):
            dense["kernel"] *= 0.0
    tables["word_embeddings"]["embedding"] = _word_vectors(encoder, names, key)
    tables["LayerNorm"]["scale"] = jnp.ones(hidden, jnp.float32).at[names:].set(GAIN)
    layers["0"]["attention"] |= _saturation(hidden, heads, names)
    return params


def _word_vectors(encoder: Encoder, names: int, key: jax.Array) -> jax.Array:
    """Names and contents of all tokens; special tokens have none, but <s> has a name of its own."""

    def directions(key: jax.Array, size: int) -> jax.Array:
        frame = jax.nn.initializers.orthogonal(dtype=jnp.float32)(
            key, (encoder.config.vocab_size, size)
        )
        frame -= frame.mean(axis=1, keepdims=True)  # LayerNorm would subtract it
        frame /= jnp.linalg.norm(frame, axis=1, keepdims=True)
        return frame.at[: len(SPECIAL_TOKENS)].set(0.0)

    name_key, content_key = jax.random.split(key)
    name_VD = jnp.pad(directions(name_key, names - 2), ((0, 0), (2, 0)))
    name_VD = name_VD.at[0, :2].set(jnp.array([1.0, -1.0], jnp.float32) / math.sqrt(2))
    content_VD = directions(content_key, encoder.config.hidden_size - names) / GAIN
    return jnp.concatenate([name_VD, content_VD], axis=1)


def _saturation(hidden: int, heads: int, names: int) -> dict[str, Any]:
    """Attention that turns the content x of a token seen n times into x - n x / (n + SATURATION).

    Every head attends to the n equal names, and to <s>, which has no content, as if to SATURATION
    more of them; values are contents. LayerNorm then removes the names.
    """
    size = hidden // heads
    steep = math.sqrt(SHARPNESS * math.sqrt(size))
    match = np.zeros((hidden, heads, size), np.float32)
    match[np.arange(names), :, np.arange(names)] = steep
    to_first = np.zeros((heads, size), np.float32)
    to_first[:, 0] = math.sqrt(2) * steep * (1 + math.log(SATURATION) / SHARPNESS)
    is_content = jnp.arange(hidden) >= names
    content, zero = jnp.diag(is_content.astype(jnp.float32)), jnp.zeros(hidden, jnp.float32)
    kernel = jnp.asarray(match.reshape(hidden, hidden))
    return {
        "self": {
            "query": {"kernel": kernel, "bias": jnp.asarray(to_first.reshape(hidden))},
            "key": {"kernel": kernel, "bias": zero},
            "value": {"kernel": content, "bias": zero},
        },
        "output": {
            "dense": {"kernel": -content, "bias": zero},
            "LayerNorm": {"scale": is_content.astype(jnp.float32), "bias": zero},
        },
    }


def train_tokenizer(texts: Iterable[str], vocab_size: int = 4096) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of code and questions, trained on `texts`.

    Text is split into words where identifiers join them (getMaxValue, get_max_value), in lower
    case and without white space, so that a word of a question and the same word inside an
    identifier are the same tokens. The same texts give the same tokenizer.

    Args:
      texts: questions and functions of the training split; LONGEST_TEXT characters of each count.
      vocab_size: maximum tokens; 256 bytes and 5 special tokens are always among them.

    Returns:
      A fast tokenizer that adds <s> and </s>; <s> = 0, <pad> = 1, </s> = 2, <unk> = 3, <mask> = 4.

    Example:
      >>> fast = train_tokenizer(["max value", "max value"])
      >>> fast.tokenize("getMaxValue")[-2:]
      ['max', 'value']
    """
    check_texts(texts, "texts")
    backend = Backend(models.BPE(unk_token=SPECIAL_TOKENS["unk_token"]))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(WORD_STARTS), " "), normalizers.Lowercase()]
    )
    words = pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}+|[^\s_\p{L}\p{N}]"), "isolated")
    gaps = pre_tokenizers.Split(Regex(r"[\s_]+"), "removed")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([gaps, words, to_bytes])
    backend.decoder = decoders.ByteLevel()
    beginnings = (text[:LONGEST_TEXT] for text in texts)
    backend.train_from_iterator(beginnings, _trainer(vocab_size))
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return as_fast(backend, SPECIAL_TOKENS | {"cls_token": "<s>", "sep_token": "</s>"})


def _trainer(vocab_size: int) -> trainers.BpeTrainer:
    """BPE merges of pairs seen twice, over all 256 bytes."""
    return trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
