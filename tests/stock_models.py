"""Fixtures: small random models and tokenizers of transformers, as folders in its layout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import transformers
from flax.serialization import to_bytes
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertConfig,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertTokenizerFast,
    PretrainedConfig,
    RobertaConfig,
    RobertaTokenizerFast,
)

from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.pretrained.convert import to_published

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "initializer_range": 0.5,  # far from 0, so that every parameter shows in the output
}
TEXTS = ["sort a list", "def sort(x): return sorted(x)", "", "sort sort sort " * 5]


@pytest.fixture
def torch():
    """torch, or a skip that says why."""
    return pytest.importorskip("torch", reason="torch is not installed (parity with PyTorch)")


def random_params(shapes, spread: float):
    """Random parameters of these shapes; nothing is 0 or 1: biases and LayerNorms differ too."""
    random = np.random.default_rng(0)

    def draw(path, leaf):
        mean, deviation = {"scale": (1, 0.1), "bias": (0, 0.1)}.get(path[-1].key, (0, spread))
        return random.normal(mean, deviation, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A configuration and random parameters under the names of transformers' Flax models."""

    config: PretrainedConfig
    params: dict[str, Any]

    @cached_property
    def stock(self):
        """transformers' own Flax model of it, or a skip that says why."""
        name = {"roberta": "FlaxRobertaModel", "bert": "FlaxBertModel"}
        kind = name.get(self.config.model_type, "FlaxDistilBertModel")
        if not hasattr(transformers, kind):
            pytest.skip(f"transformers {transformers.__version__} has no Flax (parity with Flax)")
        # Without its own initialization, which takes a second.
        model = getattr(transformers, kind)(self.config, _do_init=False)
        model._is_initialized = True
        model.params = self.params
        return model


def bert_shapes(config: PretrainedConfig) -> dict[str, Any]:
    """The tree of a RoBERTa or BERT."""
    ids = jnp.zeros((1, 1), int)
    module = RobertaModule(config)
    return jax.eval_shape(module.init, jax.random.key(0), ids, ids == 0, ids)["params"]


def checkpoint(config: PretrainedConfig) -> Checkpoint:
    """A random RoBERTa or BERT."""
    return Checkpoint(config, random_params(bert_shapes(config), config.initializer_range))


@pytest.fixture(scope="session")
def roberta():
    """A random RoBERTa."""
    return checkpoint(RobertaConfig(vocab_size=300, **SIZES))


@pytest.fixture(scope="session")
def bert():
    """A random BERT."""
    return checkpoint(BertConfig(vocab_size=60, **SIZES))


def torch_twin(torch, found: Checkpoint, **options):
    """transformers' own PyTorch model of a checkpoint."""
    kind = {"roberta": "RobertaModel", "bert": "BertModel"}[found.config.model_type]
    config = type(found.config).from_dict(found.config.to_dict() | options)
    twin = getattr(transformers, kind)(config).eval()
    tensors = {name: torch.tensor(tensor) for name, tensor in to_published(found.params).items()}
    twin.load_state_dict(tensors)
    return twin


@pytest.fixture
def roberta_folder(tmp_path, roberta):
    """A checkpoint as UniXcoder's: flax weights, vocab.json and merges.txt, the prefix in there."""
    folder = tmp_path / "roberta"
    roberta.config.save_pretrained(folder)
    (folder / "flax_model.msgpack").write_bytes(to_bytes(roberta.params))
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "so", "rt", "sort"]
    pieces += ["<encoder-only>", "<mask>"]
    (folder / "vocab.json").write_text(json.dumps({piece: n for n, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\ns o\nr t\nso rt\n")
    RobertaTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    (folder / "tokenizer.json").unlink()
    return folder


@pytest.fixture(scope="session")
def distilbert():
    """A random DistilBERT."""
    sizes = {"dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    config = DistilBertConfig(
        vocab_size=60, max_position_embeddings=40, initializer_range=0.5, dropout=0.2, **sizes
    )
    return Checkpoint(config, random_params(distilbert_shapes(config), 0.5))


def distilbert_shapes(config: DistilBertConfig) -> dict[str, Any]:
    """The tree of transformers' FlaxDistilBertModel."""

    def array(*shape):
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    def dense(size, out):
        return {"kernel": array(size, out), "bias": array(out)}

    dim, wide = config.dim, config.hidden_dim
    norm = {"scale": array(dim), "bias": array(dim)}
    layer = {
        "attention": {name: dense(dim, dim) for name in ("q_lin", "k_lin", "v_lin", "out_lin")},
        "ffn": {"lin1": dense(dim, wide), "lin2": dense(wide, dim)},
        "sa_layer_norm": norm,
        "output_layer_norm": norm,
    }
    tables = {"word": config.vocab_size, "position": config.max_position_embeddings}
    embeddings = {f"{name}_embeddings": {"embedding": array(n, dim)} for name, n in tables.items()}
    return {
        "embeddings": {**embeddings, "LayerNorm": norm},
        "transformer": {"layer": {str(n): layer for n in range(config.n_layers)}},
    }


@pytest.fixture
def bert_folder(tmp_path, bert):
    """A BERT checkpoint: flax weights and tokenizer.json."""
    folder = tmp_path / "bert"
    bert.config.save_pretrained(folder)
    (folder / "flax_model.msgpack").write_bytes(to_bytes(bert.params))
    write_word_pieces(folder, BertTokenizerFast)
    return folder


@pytest.fixture
def distilbert_folder(tmp_path, distilbert):
    """A DistilBERT checkpoint: flax weights and tokenizer.json."""
    folder = tmp_path / "distilbert"
    distilbert.config.save_pretrained(folder)
    (folder / "flax_model.msgpack").write_bytes(to_bytes(distilbert.params))
    write_word_pieces(folder, DistilBertTokenizerFast)
    return folder


def write_word_pieces(folder, kind):
    """A small tokenizer of BERT's or DistilBERT's class."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz():"]
    pieces += ["sort", "##ed", "list", "return", "def"]
    vocabulary = folder.with_suffix(".txt")
    vocabulary.write_text("\n".join(pieces))
    kind(str(vocabulary)).save_pretrained(folder)
