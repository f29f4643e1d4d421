"""The files of sentence-transformers, read and written: how a folder reads texts and pools.

modules.json lists a chain: Transformer, Pooling, then perhaps Dense (a pooler) and Normalize. What
the files of these and config_sentence_transformers.json say is applied, or refused by its name. As
in sentence-transformers, they mean nothing where there is no modules.json.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import safetensors.numpy

from softnce_jax.encoders.prompts import NO_PROMPTS, Prompts
from softnce_jax.errors import InputError, first_line
from softnce_jax.files import read_json, safe_join, write_json
from softnce_jax.pretrained.presets import SETTINGS, Settings
from softnce_jax.typed import Count, Length, check_type

if TYPE_CHECKING:
    from softnce_jax.encoders.encoder import Encoder

__all__ = [
    "MODEL",
    "SentenceModules",
    "read_chain",
    "read_model",
    "read_modules",
    "write_chain",
    "write_model",
    "write_modules",
]

LIBRARY = "sentence_transformers.models"
TANH = "torch.nn.modules.activation.Tanh"
CHAINS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Dense"])
MODEL = "config_sentence_transformers.json"
# Of the Transformer module; only old versions wrote the names after the first.
KINDS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
READINGS = [f"sentence_{kind}_config.json" for kind in KINDS]
# The pooling modes by the flags that versions before 5.4 wrote, one for each.
MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# Arguments of transformers' classes that sentence-transformers passes on; these change no vector.
PASSED_ON = ("tokenizer_args", "model_args", "config_args", "processor_kwargs")
PASSED_ON += ("tokenizer_kwargs", "model_kwargs", "config_kwargs")
HARMLESS = {"add_pooling_layer", "attn_implementation", "dtype", "torch_dtype", "trust_remote_code"}


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


class _Pooling(TypedDict, total=False):
    """What the config.json of a Pooling module says, beside its flags."""

    pooling_mode: str | list[str]
    include_prompt: bool


class _Reading(TypedDict, total=False):
    """What sentence_bert_config.json says."""

    max_seq_length: Length | None
    do_lower_case: bool | None
    transformer_task: str
    module_output_name: str | None
    modality_config: dict[str, dict] | None
    processing_kwargs: dict[str, Any] | None


class _Model(TypedDict, total=False):
    """What config_sentence_transformers.json says."""

    model_type: str
    prompts: dict[str, str | None] | None
    default_prompt_name: str | None
    similarity_fn_name: str | None
    truncate_dim: Count | None


@dataclass(frozen=True, slots=True)
class SentenceModules:
    """The content of a folder's sentence-transformers files.

    Attributes:
      transformer: the folder of the network and its tokenizer.
      pooling: "mean", "pooler" or "cls"; None if the folder does not say.
      dense: tensors of the tanh layer of a "pooler", by their names in the network.
      normalize: whether vectors have unit length.
      settings: lengths and data flow, if an export wrote them.
      prompts: of queries and documents.
      lower_case: whether texts are read in lower case.
      max_seq_length: maximum tokens of a text, special tokens included; None if it does not say.
      similarity: of two vectors; None if the folder does not say.
      truncate_dim: how many of a vector's numbers are kept; None for all.
    """

    transformer: Path
    pooling: str | None = None
    dense: dict[str, np.ndarray] = field(default_factory=dict)
    normalize: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    prompts: Prompts = NO_PROMPTS
    lower_case: bool = False
    max_seq_length: int | None = None
    similarity: Literal["dot", "cosine"] | None = None
    truncate_dim: int | None = None


def read_modules(folder: Path) -> SentenceModules:
    """Reads modules.json and the files that it names.

    Args:
      folder: of a checkpoint; it need not have such files.

    Returns:
      SentenceModules.

    Raises:
      InputError: a chain of modules that no Encoder computes, or a setting of them.
    """
    path = folder / SETTINGS
    settings = read_json(path, Settings) if path.exists() else {}
    path = folder / "modules.json"
    if not path.exists():
        return SentenceModules(folder, settings=settings)
    chain = read_chain(folder)
    kinds, folders = [kind for kind, _ in chain], dict(chain)
    normalize = kinds[-1:] == ["Normalize"]
    if kinds[: len(kinds) - normalize] not in CHAINS:
        raise InputError(f"{path}: cannot compute the chain {' → '.join(kinds)}")
    pooling, pools_prompts = _read_pooling(folders["Pooling"] / "config.json")
    dense = {}
    if "Dense" in folders:
        pooling, dense = "pooler", _read_dense(folders["Dense"], pooling)
    return SentenceModules(
        folders["Transformer"],
        pooling,
        dense,
        normalize,
        settings,
        **_read_reading(folders["Transformer"]),
        **read_model(folder / MODEL, pools_prompts=pools_prompts),
    )


def read_chain(folder: Path) -> list[tuple[str, Path]]:
    """The kinds of the modules that modules.json lists, in order, and their folders.

    Raises:
      InputError: another file than that.
    """
    return [
        (module["type"].rsplit(".", 1)[-1], _folder_of(folder, module["path"]))
        for module in read_json(folder / "modules.json", list[_Module])
    ]


def _read_reading(folder: Path) -> dict[str, Any]:
    """How the Transformer module of a folder reads texts."""
    for path in (folder / name for name in READINGS):
        if path.exists():
            config = read_json(path, _Reading)
            _check_reading(path, config)
            lower_case = bool(config.get("do_lower_case"))
            return {"max_seq_length": config.get("max_seq_length"), "lower_case": lower_case}
    return {}


def _check_reading(path: Path, config: dict[str, Any]) -> None:
    """Raises InputError for what a Transformer module may say and no Encoder does."""
    usual = {
        "transformer_task": "feature-extraction",
        "module_output_name": "token_embeddings",
        "processing_kwargs": {},
    }
    for name, value in usual.items():
        if config.get(name) not in (value, None):
            raise InputError(f"{path}: {name} {config[name]!r} cannot be computed, only {value!r}")
    for name, way in (config.get("modality_config") or {"text": {}}).items():
        if name == "text" and way.get("method_output_name", "last_hidden_state") not in (
            "last_hidden_state",
            ["last_hidden_state"],
        ):
            raise InputError(f"{path}: modality_config {way} cannot be computed")
    for name in PASSED_ON:
        if more := sorted(set(config.get(name) or {}) - HARMLESS):
            raise InputError(f"{path}: {name} has {more[0]}, which cannot be applied")


def read_model(path: Path, *, pools_prompts: bool) -> dict[str, Any]:
    """Prompts, similarity and dimensions of the whole model; raises InputError as read_modules."""
    config = read_json(path, _Model) if path.exists() else {}
    kind = config.get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise InputError(f"{path}: model_type {kind!r} is no SentenceTransformer")
    similarity = config.get("similarity_fn_name")
    if similarity not in ("dot", "cosine", None):
        raise InputError(
            f"{path}: similarity_fn_name {similarity!r} cannot be computed, only dot or cosine"
        )
    texts = {name: text or "" for name, text in (config.get("prompts") or {}).items()}
    try:
        prompts = Prompts(texts, config.get("default_prompt_name"), pools_prompts)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return {
        "prompts": prompts,
        "similarity": similarity,
        "truncate_dim": config.get("truncate_dim"),
    }


def _folder_of(folder: Path, path: str) -> Path:
    """The folder of a module, which lies in that of the model."""
    return folder if path in ("", ".") else safe_join(folder, path)


def _read_pooling(path: Path) -> tuple[str, bool]:
    """The one mode of a Pooling module, "mean" or "cls"; whether prompts count in the mean."""
    config = read_json(path, dict[str, Any])
    check_type(config, _Pooling, path)
    modes = config.get("pooling_mode")  # since version 5.4
    if modes is None:  # older: a flag for each mode
        flags = [flag for flag, on in config.items() if on and flag.startswith("pooling_mode_")]
        modes = [MODES.get(flag, flag) for flag in flags] or ["mean"]
    modes = [modes] if isinstance(modes, str) else modes
    if modes not in (["mean"], ["cls"]):
        raise InputError(f"{path}: pools by {modes}; only mean or cls, alone, can be computed")
    return modes[0], config.get("include_prompt", True)


def _read_dense(folder: Path, pooling: str) -> dict[str, np.ndarray]:
    """The tensors of a Dense module that is a pooler: a square tanh layer after cls."""
    config = read_json(folder / "config.json", _Dense)
    for name in ("module_input_name", "module_output_name"):
        if config.get(name) not in ("sentence_embedding", None):
            raise InputError(f"{folder / 'config.json'}: {name} {config[name]!r}: not the vector")
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
    folder: Path, encoder: Encoder, tensors: dict[str, np.ndarray], settings: dict[str, Any]
) -> None:
    """Writes the files with which SentenceTransformer(folder) computes the encoder's vectors.

    Args:
      folder: holds the network and its tokenizer.
      encoder: the encoder.
      tensors: the network's, by published name.
      settings: of the encoder, for this package alone: lengths, and perhaps data flow.
    """
    prompts = encoder.tokenizer.prompts
    chain = {"Transformer": "", "Pooling": "1_Pooling"}
    mode = "mean" if encoder.pooling == "mean" else "cls"
    config = {"word_embedding_dimension": tensors["pooler.dense.bias"].size}
    config |= {flag: name == mode for flag, name in MODES.items()}
    config |= {"include_prompt": prompts.pooled}
    write_json(folder / "1_Pooling/config.json", config)
    if encoder.pooling == "pooler":
        chain["Dense"] = "2_Dense"
        _write_dense(folder / "2_Dense", tensors)
    # Dimensions are cut after all modules: what has unit length then is told by the similarity.
    cut = encoder.truncate_dim is not None
    if encoder.truncates_unit or (encoder.normalize and not cut):
        chain["Normalize"] = f"{len(chain)}_Normalize"
    write_chain(folder, chain)
    longest = max(encoder.query_length, encoder.code_length)
    # Lower case is in the tokenizer.
    write_json(folder / READINGS[0], {"max_seq_length": longest, "do_lower_case": False})
    similarity = "cosine" if cut and encoder.normalize else encoder.similarity
    write_model(folder / MODEL, prompts, similarity, truncate_dim=encoder.truncate_dim)
    write_json(folder / SETTINGS, settings)


def write_chain(folder: Path, chain: dict[str, str]) -> None:
    """Writes modules.json of the kinds of modules and the paths of their folders."""
    if "Normalize" in chain:  # which has no files
        (folder / chain["Normalize"]).mkdir()
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"{LIBRARY}.{kind}"}
        for index, (kind, path) in enumerate(chain.items())
    ]
    write_json(folder / "modules.json", modules)


def write_model(
    path: Path, prompts: Prompts, similarity: str, *, truncate_dim: int | None = None
) -> None:
    """Writes the file on the whole model, that `read_model` reads."""
    model = {"similarity_fn_name": similarity}
    model |= {"prompts": dict(prompts.texts), "default_prompt_name": prompts.default}
    model |= {} if truncate_dim is None else {"truncate_dim": truncate_dim}
    write_json(path, model)


def _write_dense(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes the pooler as a Dense module."""
    bias = tensors["pooler.dense.bias"]
    config = {"in_features": bias.size, "out_features": bias.size, "bias": True}
    write_json(folder / "config.json", config | {"activation_function": TANH})
    linear = {"linear.weight": tensors["pooler.dense.weight"], "linear.bias": bias}
    safetensors.numpy.save_file(linear, folder / "model.safetensors", metadata={"format": "pt"})
