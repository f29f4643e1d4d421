"""Fixtures: small random models and tokenizers of transformers, as folders in its layout."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
from flax.serialization import to_bytes
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertConfig,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertTokenizerFast,
    FlaxBertModel,
    FlaxDistilBertModel,
    FlaxRobertaModel,
    RobertaConfig,
    RobertaTokenizerFast,
)

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


def stock_model(kind, config):
    """A random model of transformers, without its own initialization, which takes a second."""
    model = kind(config, _do_init=False)
    model._is_initialized = True
    model.params = random_params(model.params_shape_tree, config.initializer_range)
    return model


@pytest.fixture(scope="session")
def roberta():
    """A random FlaxRobertaModel of transformers."""
    return stock_model(FlaxRobertaModel, RobertaConfig(vocab_size=300, **SIZES))


@pytest.fixture(scope="session")
def bert():
    """A random FlaxBertModel of transformers."""
    return stock_model(FlaxBertModel, BertConfig(vocab_size=60, **SIZES))


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
    """A random FlaxDistilBertModel of transformers."""
    sizes = {"dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    config = DistilBertConfig(
        vocab_size=60, max_position_embeddings=40, initializer_range=0.5, dropout=0.2, **sizes
    )
    return stock_model(FlaxDistilBertModel, config)


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
