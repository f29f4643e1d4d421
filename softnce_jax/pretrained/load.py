"""Loading: from the name or folder of a checkpoint to an encoder and its parameters."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypedDict

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from msgspec import Meta
from tokenizers import normalizers
from transformers import (
    AutoTokenizer,
    BertConfig,
    DistilBertConfig,
    PretrainedConfig,
    PreTrainedTokenizerBase,
    RobertaConfig,
)

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.roberta import ACTIVATIONS, RobertaModule
from softnce_jax.encoders.static import StaticTextEncoder
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.encoders.text_encoder import TextEncoder
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError, first_line
from softnce_jax.files import DIGESTS, changed_file, file_digest, read_json
from softnce_jax.pretrained.convert import (
    as_bert_config,
    as_bert_tensors,
    check_finite,
    is_distilbert,
    read_tensors,
    to_params,
    weight_files,
)
from softnce_jax.pretrained.hub import SMALL_FILES, locate
from softnce_jax.pretrained.presets import PRESETS, Preset, is_static, preset
from softnce_jax.pretrained.sentence_transformers import MODEL, SentenceModules, read_modules
from softnce_jax.pretrained.static import static_from_folder
from softnce_jax.typed import Count, Fraction, Length, NotNegative, Size, check_type

log = logging.getLogger(__name__)

__all__ = ["fingerprint", "load", "load_encoder"]

CONFIGS = {"roberta": RobertaConfig, "bert": BertConfig, "distilbert": DistilBertConfig}
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")
# By configuration: to trace twelve layers takes longer than to read them.
_SHAPES: dict[str, dict[str, Any]] = {}
_Width = Annotated[int, Meta(ge=1, le=1 << 16)]
_Layers = Annotated[int, Meta(ge=1, le=1000)]


class _Network(TypedDict, total=False):
    """What a config.json says of a network, as far as it is read; DistilBERT's names come last."""

    vocab_size: Count
    hidden_size: _Width
    intermediate_size: _Width
    num_hidden_layers: _Layers
    num_attention_heads: _Width
    max_position_embeddings: Length
    type_vocab_size: _Width
    layer_norm_eps: NotNegative
    hidden_dropout_prob: Fraction
    attention_probs_dropout_prob: Fraction
    initializer_range: NotNegative
    hidden_act: str
    pad_token_id: Size | None
    is_decoder: bool
    position_embedding_type: str
    dim: _Width
    hidden_dim: _Width
    n_layers: _Layers
    n_heads: _Width
    dropout: Fraction
    attention_dropout: Fraction
    activation: str


def load(
    name_or_path: str | Path,
    *,
    revision: str | None = None,
    dtype: str = "float32",
    download: bool = False,
    pooling: str | None = None,
) -> tuple[Encoder | StaticEncoder, dict[str, Any]]:
    """An encoder and its parameters from a RoBERTa, BERT, DistilBERT or static checkpoint.

    A DistilBERT becomes the BERT that computes the same (see `pretrained/convert.py`). What the
    files of a sentence-transformers folder say of lower case, prompts, pooling, lengths, dimensions
    and similarity is applied, or refused by its name.

    Args:
      name_or_path: a preset, a Hub id, the folder of a run, or a folder in the layout of
        transformers or sentence-transformers, as an exported `model/` is.
      revision: of a Hub id; by default the preset's.
      dtype: of the computation; parameters are float32.
      download: whether a Hub id may be fetched; else it must be in the local cache.
      pooling: "mean", "pooler" or "cls"; by default that of the folder, else the preset's.

    Returns:
      The Encoder and its parameters, a tree under the published names; of a folder of model2vec,
      or a StaticEmbedding of sentence-transformers, the StaticEncoder.

    Raises:
      InputError: a missing or unusable checkpoint; the message names the file and the remedy.

    Example:
      >>> load("someone/not-here")
      Traceback (most recent call last):
      ...
      softnce_jax.errors.InputError: someone/not-here: no such folder, and revision main is ...
    """
    chosen = preset(str(name_or_path))
    if chosen.checkpoint is None:
        raise InputError(f"{name_or_path} has no checkpoint: it is built from training texts")
    folder = locate(chosen.checkpoint, revision=revision or chosen.revision, download=download)
    if (changed := changed_file(folder)) is not None:
        raise InputError(
            f"{changed}: missing, or not as it was exported: export the model again (if you "
            f"changed it yourself, remove {folder / DIGESTS})"
        )
    if is_static(folder):
        return _load_static(folder, pooling)
    modules = read_modules(folder)
    config = _read_config(modules.transformer)
    module = RobertaModule(config, dtype=jnp.dtype(dtype))
    tokenizer = _read_tokenizer(modules, config, chosen.prefix)
    longest = config.max_position_embeddings - tokenizer.first_position
    cut = modules.truncate_dim is not None
    encoder = Encoder(
        module,
        tokenizer,
        pooling=pooling or modules.pooling or chosen.pooling,
        normalize=modules.normalize and not cut,
        truncate_dim=modules.truncate_dim,
        truncates_unit=modules.normalize and cut,
        similarity=modules.similarity or "dot",
        **_fitting(chosen, modules, tokenizer.fast, longest),
    )
    for line in _notes(modules, encoder):
        log.info(f"{name_or_path}: {line}")
    return encoder, _read_params(modules, encoder)


def _load_static(folder: Path, pooling: str | None) -> tuple[StaticEncoder, dict[str, Any]]:
    """The static encoder of a folder, and its parameters."""
    if pooling not in (None, StaticEncoder.pooling):
        raise InputError(f"{folder}: a static model has mean pooling, not {pooling}")
    model = static_from_folder(folder)
    options = {"normalize": model.normalize, "similarity": model.similarity_name}
    params = {name: jnp.asarray(x, jnp.float32) for name, x in model.table._asdict().items()}
    return StaticEncoder(model.tokenizer, model.dimensions, **options), params


def load_encoder(
    name_or_path: str | Path, *, mesh: Mesh | None = None, **options: Any
) -> TextEncoder | StaticTextEncoder:
    """A checkpoint as a text encoder: texts in, vectors out.

    Args:
      name_or_path: as in `load`; of a run it is the exported model.
      mesh: the devices; by default all of all processes.
      **options: of `load`.

    Returns:
      The TextEncoder; of a static model the StaticTextEncoder, which has the same methods and
      answers on the host (`load_static` makes it without importing jax).

    Raises:
      InputError: as `load`.

    Example:
      >>> load_encoder("someone/not-here")
      Traceback (most recent call last):
      ...
      softnce_jax.errors.InputError: someone/not-here: no such folder, and revision main is ...
    """
    encoder, params = load(name_or_path, **options)
    if isinstance(encoder, StaticEncoder):
        return encoder.bind(params)
    return TextEncoder(encoder, params, mesh=mesh)


def _notes(modules: SentenceModules, encoder: Encoder) -> list[str]:
    """Lines on what a sentence-transformers folder says, or leaves open, of texts and vectors."""
    prompts, notes = modules.prompts, []
    if any(prompts.texts.values()):
        notes.append(f"reads queries after {prompts.query!r}, code after {prompts.document!r}")
    if encoder.truncate_dim is not None:
        notes.append(f"vectors are cut to their first {encoder.truncate_dim} numbers")
    if modules.pooling is not None and modules.similarity is None and not encoder.normalize:
        notes.append(
            "no Normalize module and no similarity_fn_name: ranked by dot products; if it was "
            f"trained for cosines, add similarity_fn_name cosine to {MODEL}"
        )
    return notes


def _fitting(
    chosen: Preset, modules: SentenceModules, fast: PreTrainedTokenizerBase, longest: int
) -> dict[str, Any]:
    """Lengths and data flow of the folder, else of the preset, within the network's positions."""
    names = ("query_length", "code_length", "dataflow", "flow_length")
    values = {name: getattr(chosen, name) for name in names}
    if modules.pooling is not None:
        values |= dict.fromkeys(names[:2], modules.max_seq_length or fast.model_max_length)
    values |= {name: modules.settings[name] for name in names if name in modules.settings}
    if values["dataflow"] == "none":
        values["flow_length"] = 0
    values["query_length"] = min(values["query_length"], longest)
    values["code_length"] = min(values["code_length"], longest - values["flow_length"])
    if min(values["query_length"], values["code_length"]) < 1:
        raise InputError(
            f"{chosen.checkpoint}: {longest} positions leave no room for text: {values}"
        )
    return values


def _read_config(folder: Path) -> PretrainedConfig:
    """The configuration of a folder; an error unless its network is one that can be computed."""
    path = folder / "config.json"
    values = read_json(path, dict[str, Any])
    kind = values.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIGS:
        known = "RoBERTa, BERT or DistilBERT"
        raise InputError(f"{path}: model_type is {f'{kind!r}'[:80]}; use a {known} checkpoint")
    check_type(values, _Network, path)
    try:
        config = CONFIGS[kind].from_dict(values)
    except Exception as error:  # whatever fields that are not read here make of it
        raise InputError(f"{path}: no configuration ({first_line(error)})") from error
    if kind == "distilbert":
        config = as_bert_config(config)
    if config.hidden_act not in ACTIVATIONS:
        raise InputError(
            f"{path}: hidden_act: {config.hidden_act!r} is none of {', '.join(ACTIVATIONS)}"
        )
    if config.hidden_size % config.num_attention_heads:
        raise InputError(
            f"{path}: hidden_size: {config.hidden_size} is no multiple of num_attention_heads, "
            f"{config.num_attention_heads}"
        )
    # Of the file: transformers 5 has dropped these two.
    positions = values.get("position_embedding_type", "absolute")
    if values.get("is_decoder") or positions != "absolute":
        raise InputError(f"{path}: a decoder or relative positions; use a plain encoder")
    return config


def _read_tokenizer(
    modules: SentenceModules, config: PretrainedConfig, prefix: tuple[str, ...]
) -> Tokenizer:
    """The tokenizer of a folder, with the prefix of its preset and the folder's prompts."""
    folder = modules.transformer
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        # transformers 5 would make one that knows no word.
        raise InputError(f"{folder}: no tokenizer (looked for {', '.join(TOKENIZER_FILES)})")
    try:
        # Without these two it runs Python files of the folder, once a person presses y, or fetches
        # those of a repository that the folder names.
        fast: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # it raises many classes, with advice of many lines
        reason = first_line(error)
        raise InputError(
            f"{folder}: no tokenizer can be loaded ({reason}); put its tokenizer.json there"
        ) from error
    if fast.truncation_side != "right":
        raise InputError(
            f"{folder}: truncation_side {fast.truncation_side!r} cannot be applied: texts that are "
            "too long lose their end"
        )
    # A copy of UniXcoder under another name needs its prefix too.
    known = PRESETS["unixcoder"].prefix
    if not prefix and known[0] in fast.get_vocab():
        prefix = known
    if modules.lower_case and fast.is_fast:
        _lower_case(fast)
    tokenizer = Tokenizer(
        fast,
        prefix=prefix,
        first_position=0 if config.model_type == "bert" else None,
        prompts=modules.prompts,
    )
    if config.model_type == "roberta" and tokenizer.pad_id != config.pad_token_id:
        raise InputError(
            f"{folder}: the tokenizer's pad id is {tokenizer.pad_id}, config.json's pad_token_id "
            f"{config.pad_token_id}; RoBERTa counts positions from it, so make them equal"
        )
    return tokenizer


def _lower_case(fast: PreTrainedTokenizerBase) -> None:
    """Makes a tokenizer read everything in lower case, before its own normalizer."""
    backend = fast.backend_tokenizer
    steps = [normalizers.Lowercase(), *([backend.normalizer] if backend.normalizer else [])]
    backend.normalizer = normalizers.Sequence(steps)


def _read_params(modules: SentenceModules, encoder: Encoder) -> dict[str, Any]:
    """The parameters of a folder; a pooler may be missing if it is not used."""
    tensors, source = read_tensors(modules.transformer)
    check_finite(tensors | modules.dense, source)
    with_pooler = encoder.pooling == "pooler" and not modules.dense
    if is_distilbert(tensors):
        if with_pooler:
            raise InputError(f"{source}: DistilBERT has no pooler; use mean or cls pooling")
        tensors = as_bert_tensors(tensors)
    last = encoder.config.num_hidden_layers - 1
    layers = [name for name in tensors if "encoder.layer." in name]
    if layers and not any(f"encoder.layer.{last}." in name for name in layers):
        raise InputError(f"{source}: no tensors of layer {last}, which config.json asks for")
    params = to_params(
        tensors,
        _shapes(encoder),
        source=source,
        optional="" if with_pooler else "pooler",
    )
    if modules.dense:
        kernel, bias = modules.dense["pooler.dense.weight"].T, modules.dense["pooler.dense.bias"]
        params["pooler"] = {"dense": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}
    return params


def _shapes(encoder: Encoder) -> dict[str, Any]:
    """The tree of an encoder's parameters, shapes in the place of arrays."""
    text = encoder.config.to_json_string()
    if text not in _SHAPES:
        _SHAPES[text] = jax.eval_shape(encoder.init, jax.random.key(0))
    return _SHAPES[text]


def fingerprint(name_or_path: str | Path, *, download: bool = False) -> str:
    """SHA-256 of a checkpoint's weights, tokenizer, configuration and preset, without loading it.

    Args:
      name_or_path: as in `load`.
      download: as in `load`.

    Returns:
      64 hexadecimal digits, the same wherever the files are.

    Raises:
      InputError: there is no such checkpoint.
    """
    chosen = preset(str(name_or_path))
    folder = locate(chosen.checkpoint, revision=chosen.revision, download=download)
    if is_static(folder):
        return _digest_of_files(folder, "static", folder.rglob("*.safetensors"))
    modules = read_modules(folder)
    names = ("pooling", "prefix", "query_length", "code_length", "dataflow", "flow_length")
    settings = [getattr(chosen, name) for name in names]
    settings += _reading(modules)
    return _digest_of_files(folder, repr(settings), weight_files(modules.transformer))


def _digest_of_files(folder: Path, settings: str, weights: Iterable[Path]) -> str:
    """SHA-256 of settings and of the files of a checkpoint: weights and small ones."""
    small = {path for pattern in SMALL_FILES for path in folder.glob(pattern)}
    digest = hashlib.sha256(settings.encode())
    # Other than regular files none is read, and loading says so.
    for path in sorted(filter(Path.is_file, {*weights, *small})):
        digest.update(f"{path.relative_to(folder)} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def _reading(modules: SentenceModules) -> list[Any]:
    """What a folder says that earlier versions did not read; empty where it says nothing of that.

    Features cached by earlier versions are found again just where they are still right.
    """
    has_length = modules.pooling is not None and not modules.settings
    said = [has_length or None, modules.lower_case or None, modules.truncate_dim]
    said += [dict(modules.prompts.texts) or None, modules.prompts.default]
    said += [modules.similarity] if modules.similarity == "cosine" and not modules.normalize else []
    return said if any(value is not None for value in said) else []
