"""sentence-transformers' files: how a folder pools, read and written.

modules.json lists a chain: Transformer, Pooling, then perhaps Dense (a pooler) and Normalize.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from softnce_jax.errors import InputError

LIBRARY = "sentence_transformers.models"
TANH = "torch.nn.modules.activation.Tanh"
SETTINGS = "softnce_jax.json"
CHAINS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Dense"])


@dataclass(frozen=True, slots=True)
class SentenceModules:
    """What a folder's sentence-transformers files say.

    Attributes:
      transformer: the folder of the network and its tokenizer.
      pooling: "mean", "pooler", "cls", or None where the folder does not say.
      dense: tensors of the tanh layer of a "pooler", by their names in the network.
      normalize: whether vectors have unit length.
      settings: lengths and data flow, where an export left them.
    """

    transformer: Path
    pooling: str | None
    dense: dict[str, np.ndarray]
    normalize: bool
    settings: dict[str, Any]


def read_modules(folder: Path) -> SentenceModules:
    """What the folder's modules.json and the files it names say.

    Args:
      folder: of a checkpoint; it need not have such files.

    Returns:
      SentenceModules.

    Raises:
      InputError: a chain of modules that no Encoder computes.
    """
    settings = read_json(folder / SETTINGS) if (folder / SETTINGS).exists() else {}
    path = folder / "modules.json"
    if not path.exists():
        return SentenceModules(folder, None, {}, False, settings)
    chain = [
        (module["type"].rsplit(".", 1)[-1], folder / module["path"]) for module in read_json(path)
    ]
    kinds = [kind for kind, _ in chain]
    normalize = kinds[-1:] == ["Normalize"]
    if kinds[: len(kinds) - normalize] not in CHAINS:
        raise InputError(f"{path}: cannot compute the chain {' → '.join(kinds)}")
    folders = dict(chain)
    pooling = read_pooling(folders["Pooling"] / "config.json")
    dense = {}
    if "Dense" in folders:
        pooling, dense = "pooler", read_dense(folders["Dense"], pooling)
    return SentenceModules(folders["Transformer"], pooling, dense, normalize, settings)


def read_pooling(path: Path) -> str:
    """The one pooling mode of a Pooling module, "mean" or "cls"."""
    config = read_json(path)
    modes = config.get("pooling_mode")  # since version 5.5; a flag for each mode before
    if modes is None:
        flags = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
        modes = [
            flags.get(flag, flag) for flag, on in config.items() if on is True and "mode" in flag
        ]
    modes = [modes] if isinstance(modes, str) else modes
    if modes not in (["mean"], ["cls"]):
        raise InputError(f"{path}: pools by {modes}; only mean or cls, alone, can be computed")
    return modes[0]


def read_dense(folder: Path, pooling: str) -> dict[str, np.ndarray]:
    """The tensors of a Dense module that is a pooler: a square tanh layer after cls."""
    config = read_json(folder / "config.json")
    square = config["in_features"] == config["out_features"] and config["bias"]
    if pooling != "cls" or config["activation_function"] != TANH or not square:
        raise InputError(f"{folder}: only a square tanh layer with bias after cls can be computed")
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    return {f"pooler.dense.{kind}": weights[f"linear.{kind}"] for kind in ("weight", "bias")}


def write_modules(
    folder: Path,
    *,
    pooling: str,
    normalize: bool,
    tensors: dict[str, np.ndarray],
    settings: dict[str, Any],
) -> None:
    """Writes the files from which SentenceTransformer(folder) computes the encoder's vectors.

    Args:
      folder: holds the network and its tokenizer.
      pooling: "mean", "pooler" or "cls".
      normalize: whether vectors have unit length.
      tensors: the network's, by published name.
      settings: query_length and code_length, at the larger of which texts are cut, and what else
        an encoder needs to be the same.
    """
    width = tensors["pooler.dense.bias"].size
    chain = {"Transformer": "", "Pooling": "1_Pooling"}
    mode = "mean" if pooling == "mean" else "cls"
    config = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": mode == "mean"}
    write_json(folder / "1_Pooling/config.json", config | {"pooling_mode_cls_token": mode == "cls"})
    if pooling == "pooler":
        chain["Dense"] = "2_Dense"
        write_dense(folder / "2_Dense", tensors)
    if normalize:
        chain["Normalize"] = f"{len(chain)}_Normalize"
        (folder / chain["Normalize"]).mkdir()
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"{LIBRARY}.{kind}"}
        for place, (kind, path) in enumerate(chain.items())
    ]
    write_json(folder / "modules.json", modules)
    longest = max(settings["query_length"], settings["code_length"])
    limits = {"max_seq_length": longest, "do_lower_case": False}
    write_json(folder / "sentence_bert_config.json", limits)
    similarity = {"similarity_fn_name": "dot", "prompts": {}, "default_prompt_name": None}
    write_json(folder / "config_sentence_transformers.json", similarity)
    write_json(folder / SETTINGS, settings)


def write_dense(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """The pooler as a Dense module."""
    bias = tensors["pooler.dense.bias"]
    config = {"in_features": bias.size, "out_features": bias.size, "bias": True}
    write_json(folder / "config.json", config | {"activation_function": TANH})
    linear = {"linear.weight": tensors["pooler.dense.weight"], "linear.bias": bias}
    safetensors.numpy.save_file(linear, folder / "model.safetensors", metadata={"format": "pt"})


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: missing or not JSON ({error}); fetch it anew") from None


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file, and its folder."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
