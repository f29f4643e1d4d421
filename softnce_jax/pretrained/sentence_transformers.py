"""The files of sentence-transformers, read and written: they say how a folder pools.

modules.json lists a chain: Transformer, Pooling, then perhaps Dense (a pooler) and Normalize.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import safetensors.numpy

from softnce_jax.errors import InputError, first_line
from softnce_jax.files import read_json, safe_join, write_json
from softnce_jax.pretrained.presets import SETTINGS, Settings
from softnce_jax.typed import Count

__all__ = ["SentenceModules", "read_modules", "write_modules"]

LIBRARY = "sentence_transformers.models"
TANH = "torch.nn.modules.activation.Tanh"
CHAINS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Dense"])


class _Module(TypedDict):
    """An entry of modules.json; the path is that of its folder, "" for the folder of the file."""

    type: str
    path: str


class _Dense(TypedDict):
    """What the config.json of a Dense module says."""

    in_features: Count
    out_features: Count
    bias: bool
    activation_function: str


@dataclass(frozen=True, slots=True)
class SentenceModules:
    """The content of a folder's sentence-transformers files.

    Attributes:
      transformer: the folder of the network and its tokenizer.
      pooling: "mean", "pooler" or "cls"; None if the folder does not say.
      dense: tensors of the tanh layer of a "pooler", by their names in the network.
      normalize: whether vectors have unit length.
      settings: lengths and data flow, if an export wrote them.
    """

    transformer: Path
    pooling: str | None
    dense: dict[str, np.ndarray]
    normalize: bool
    settings: dict[str, Any]


def read_modules(folder: Path) -> SentenceModules:
    """Reads modules.json and the files that it names.

    Args:
      folder: of a checkpoint; it need not have such files.

    Returns:
      SentenceModules.

    Raises:
      InputError: a chain of modules that no Encoder computes.
    """
    path = folder / SETTINGS
    settings = read_json(path, Settings) if path.exists() else {}
    path = folder / "modules.json"
    if not path.exists():
        return SentenceModules(folder, None, {}, False, settings)
    chain = [
        (module["type"].rsplit(".", 1)[-1], _folder_of(folder, module["path"]))
        for module in read_json(path, list[_Module])
    ]
    kinds = [kind for kind, _ in chain]
    normalize = kinds[-1:] == ["Normalize"]
    if kinds[: len(kinds) - normalize] not in CHAINS:
        raise InputError(f"{path}: cannot compute the chain {' → '.join(kinds)}")
    folders = dict(chain)
    pooling = _read_pooling(folders["Pooling"] / "config.json")
    dense = {}
    if "Dense" in folders:
        pooling, dense = "pooler", _read_dense(folders["Dense"], pooling)
    return SentenceModules(folders["Transformer"], pooling, dense, normalize, settings)


def _folder_of(folder: Path, path: str) -> Path:
    """The folder of a module, which lies in that of the model."""
    return folder if path in ("", ".") else safe_join(folder, path)


def _read_pooling(path: Path) -> str:
    """The one pooling mode of a Pooling module, "mean" or "cls"."""
    config = read_json(path, dict[str, Any])
    modes = config.get("pooling_mode")  # since version 5.5
    if modes is None:  # older: a flag for each mode
        flags = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
        modes = [
            flags.get(flag, flag) for flag, on in config.items() if on is True and "mode" in flag
        ]
    modes = [modes] if isinstance(modes, str) else modes
    if modes not in (["mean"], ["cls"]):
        raise InputError(f"{path}: pools by {modes}; only mean or cls, alone, can be computed")
    return modes[0]


def _read_dense(folder: Path, pooling: str) -> dict[str, np.ndarray]:
    """The tensors of a Dense module that is a pooler: a square tanh layer after cls."""
    config = read_json(folder / "config.json", _Dense)
    square = config["in_features"] == config["out_features"] and config["bias"]
    if pooling != "cls" or config["activation_function"] != TANH or not square:
        raise InputError(f"{folder}: only a square tanh layer with bias after cls can be computed")
    path, shapes = folder / "model.safetensors", {"weight": 2, "bias": 1}
    try:
        weights = safetensors.numpy.load_file(path)
        dense = {f"pooler.dense.{kind}": weights[f"linear.{kind}"] for kind in shapes}
    except (safetensors.SafetensorError, OSError, KeyError) as error:
        raise InputError(
            f"{path}: no safetensors file with linear.weight and linear.bias ({first_line(error)})"
        ) from None
    if any(set(weights[f"linear.{kind}"].shape) != {config["in_features"]} for kind in shapes):
        raise InputError(f"{path}: its shapes are not those of its config.json")
    return dense


def write_modules(
    folder: Path,
    *,
    pooling: str,
    normalize: bool,
    tensors: dict[str, np.ndarray],
    settings: dict[str, Any],
) -> None:
    """Writes the files with which SentenceTransformer(folder) computes the encoder's vectors.

    Args:
      folder: holds the network and its tokenizer.
      pooling: "mean", "pooler" or "cls".
      normalize: whether vectors have unit length.
      tensors: the network's, by published name.
      settings: of the encoder: query_length and code_length, the larger of which is the maximum
        length here, and perhaps data flow.
    """
    width = tensors["pooler.dense.bias"].size
    chain = {"Transformer": "", "Pooling": "1_Pooling"}
    mode = "mean" if pooling == "mean" else "cls"
    config = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": mode == "mean"}
    write_json(folder / "1_Pooling/config.json", config | {"pooling_mode_cls_token": mode == "cls"})
    if pooling == "pooler":
        chain["Dense"] = "2_Dense"
        _write_dense(folder / "2_Dense", tensors)
    if normalize:
        chain["Normalize"] = f"{len(chain)}_Normalize"
        (folder / chain["Normalize"]).mkdir()
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"{LIBRARY}.{kind}"}
        for index, (kind, path) in enumerate(chain.items())
    ]
    write_json(folder / "modules.json", modules)
    longest = max(settings["query_length"], settings["code_length"])
    limits = {"max_seq_length": longest, "do_lower_case": False}
    write_json(folder / "sentence_bert_config.json", limits)
    similarity = {"similarity_fn_name": "dot", "prompts": {}, "default_prompt_name": None}
    write_json(folder / "config_sentence_transformers.json", similarity)
    write_json(folder / SETTINGS, settings)


def _write_dense(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes the pooler as a Dense module."""
    bias = tensors["pooler.dense.bias"]
    config = {"in_features": bias.size, "out_features": bias.size, "bias": True}
    write_json(folder / "config.json", config | {"activation_function": TANH})
    linear = {"linear.weight": tensors["pooler.dense.weight"], "linear.bias": bias}
    safetensors.numpy.save_file(linear, folder / "model.safetensors", metadata={"format": "pt"})
