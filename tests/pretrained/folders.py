"""Changes to model folders, and what the tests of loading compare."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import safetensors.numpy

from tests.stock_models import TEXTS


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
