"""Changes to model folders, and what the tests of loading compare."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import safetensors.numpy

from softnce_jax.pretrained.convert import INDEX
from tests.stock_models import TEXTS

MEAN = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}


def edit(path: Path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def rewrite(folder: Path, tensors):
    """Replaces the folder's Flax weights by these tensors."""
    (folder / "flax_model.msgpack").unlink()
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def assert_same(params, expected):
    assert jax.tree.structure(params) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, params, expected)


def ids_of(encoder, length=24):
    return encoder.tokenizer.pad(encoder.tokenizer.tokenize(TEXTS, length), length)


def sharded(folder, tensors, count=3):
    """Writes weights as several files and their index; returns the index."""
    (folder / "flax_model.msgpack").unlink()
    names = [f"model-{n + 1:05d}-of-{count:05d}.safetensors" for n in range(count)]
    placed = {tensor: names[n % count] for n, tensor in enumerate(sorted(tensors))}
    for file in names:
        part = {name: tensors[name] for name, place in placed.items() if place == file}
        safetensors.numpy.save_file(part, folder / file, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 1}, "weight_map": placed}
    (folder / INDEX).write_text(json.dumps(index))
    return index


def sentence_files(
    folder, modes=MEAN, kinds=("Transformer", "Pooling"), *, model=None, reading=None
):
    """Makes a folder one of sentence-transformers."""
    modules = [
        {
            "idx": n,
            "name": str(n),
            "path": f"{n}_{kind}" if n else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for n, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling/config.json").write_text(json.dumps(modes))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(model or {}))
    (folder / "sentence_bert_config.json").write_text(json.dumps(reading or {}))
    return folder
