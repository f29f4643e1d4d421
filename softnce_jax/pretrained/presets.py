"""Presets: the paper's settings for each encoder, from its appendix and its code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

import safetensors

from softnce_jax.encoders.prompts import LONGEST_TEXT
from softnce_jax.files import read_json, to_path
from softnce_jax.typed import Length, Size

__all__ = ["PRESETS", "SETTINGS", "Preset", "Settings", "is_static", "preset"]

SETTINGS = "softnce_jax.json"  # of an exported model: lengths and data flow


class Settings(TypedDict, total=False):
    """What softnce_jax.json may say."""

    query_length: Length
    code_length: Length
    dataflow: Literal["none", "published", "extended"]
    flow_length: Size


@dataclass(frozen=True, slots=True)
class Preset:
    """The defaults of a run with one checkpoint.

    Attributes:
      checkpoint: Hub id or folder; None for an encoder that is built from scratch.
      revision: Hub revision whose weights load without torch.
      pooling: "mean" over tokens, or "pooler": tanh(W h + b) of the first token.
      prefix: tokens after the first special token of every text.
      query_length, code_length: maximum tokens of a query and of a function, special tokens
        included.
      dataflow: the rules that extract the data flow of code; "none" for the text alone.
      flow_length: positions that code leaves for its data flow, beside `code_length`.
      learning_rate, batch_size, epochs, warmup_epochs: of the published fine-tuning runs.
      evaluate_every: epochs between two evaluations.

    Example:
      >>> preset("unixcoder").checkpoint
      'microsoft/unixcoder-base'
    """

    checkpoint: str | None
    revision: str = "main"
    pooling: Literal["mean", "pooler"] = "mean"
    prefix: tuple[str, ...] = ()
    query_length: int = 128
    code_length: int = 256
    dataflow: Literal["none", "published", "extended"] = "none"
    flow_length: int = 64
    learning_rate: float = 2e-5
    batch_size: int = 32
    epochs: int = 10
    warmup_epochs: int = 0
    evaluate_every: float = 1.0


PRESETS = {
    "codebert": Preset(
        "microsoft/codebert-base",
        revision="3b0952feddeffad0063f274080e3c23d75e7eb39",
        pooling="pooler",
        query_length=200,
        code_length=200,
        learning_rate=1e-6,
        warmup_epochs=1,
    ),
    "graphcodebert": Preset(
        "microsoft/graphcodebert-base",
        revision="refs/pr/3",  # safetensors
        pooling="pooler",
        dataflow="published",
        epochs=30,
    ),
    "unixcoder": Preset(
        "microsoft/unixcoder-base",
        revision="refs/pr/5",  # main holds a pickle only
        prefix=("<encoder-only>", "</s>"),
        batch_size=64,
    ),
    "tiny": Preset(None, query_length=32, code_length=160, learning_rate=4e-6, epochs=6),
    "static": Preset(
        None,
        query_length=LONGEST_TEXT,
        code_length=LONGEST_TEXT,
        learning_rate=5e-3,
        batch_size=1024,
        epochs=5,
    ),
}


def preset(name: str) -> Preset:
    """The preset of a name or Hub id; for any other checkpoint the default one.

    An exported folder keeps its own lengths and data flow.

    Args:
      name: a key of PRESETS, a Hub id or a folder.

    Returns:
      The Preset.

    Example:
      >>> preset("microsoft/codebert-base").pooling
      'pooler'
      >>> preset("someone/some-roberta").code_length
      256
    """
    known = {p.checkpoint: p for p in PRESETS.values()} | PRESETS
    if name in known:
        return known[name]
    if any(is_static(to_path(name) / part) for part in ("", "model")):
        return replace(PRESETS["static"], checkpoint=name)
    return replace(Preset(None), checkpoint=name, **_exported_settings(name))


def is_static(folder: Path) -> bool:
    """Whether a folder holds a static model, as model2vec and sentence-transformers write them.

    Where config.json names no kind of model, as in older folders of model2vec, the table tells.

    Raises:
      InputError: its modules.json or config.json cannot be read.
    """
    if (path := folder / "modules.json").is_file():
        modules = read_json(path)
        first = modules[0] if isinstance(modules, list) and modules else {}
        kind = first.get("type") if isinstance(first, dict) else None
        return isinstance(kind, str) and kind.rpartition(".")[2] == "StaticEmbedding"
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    kind = config.get("model_type") if isinstance(config, dict) else None
    return kind == "model2vec" if kind is not None else _has_table(folder / "model.safetensors")


def _has_table(path: Path) -> bool:
    """Whether a safetensors file has the tensor of model2vec's table; its header alone is read."""
    if not path.is_file():  # one that waits for a writer would be opened for ever
        return False
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return "embeddings" in file.keys()  # noqa: SIM118 (it is no mapping)
    except (safetensors.SafetensorError, OSError):
        return False


def _exported_settings(name: str) -> dict[str, Any]:
    """The settings that an export wrote into its folder; the folder may be that of its run."""
    paths = (to_path(name) / SETTINGS, to_path(name) / "model" / SETTINGS)
    values = next((read_json(path, Settings) for path in paths if path.is_file()), {})
    return {name: values[name] for name in Settings.__annotations__ if name in values}
