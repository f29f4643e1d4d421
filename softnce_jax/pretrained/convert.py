"""Weight files of every format, and PyTorch's published names for the leaves of the Flax tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax.serialization import msgpack_restore
from flax.traverse_util import flatten_dict, unflatten_dict
from transformers import BertConfig, DistilBertConfig

from softnce_jax.errors import InputError, first_line
from softnce_jax.files import read_json, safe_join

__all__ = [
    "INDEX",
    "WEIGHT_FILES",
    "as_bert_config",
    "as_bert_tensors",
    "check_finite",
    "is_distilbert",
    "published_name",
    "read_tensors",
    "shards",
    "to_params",
    "to_published",
    "weight_files",
]

LEAF_NAMES = {"kernel": "weight", "scale": "weight", "embedding": "weight"}
WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
TYPE_EMBEDDINGS = "embeddings.token_type_embeddings.weight"
# DistilBERT's parts of names, and BERT's.
BERT_NAMES = {
    "transformer.layer.": "encoder.layer.",
    "attention.q_lin.": "attention.self.query.",
    "attention.k_lin.": "attention.self.key.",
    "attention.v_lin.": "attention.self.value.",
    "attention.out_lin.": "attention.output.dense.",
    "sa_layer_norm.": "attention.output.LayerNorm.",
    "ffn.lin1.": "intermediate.dense.",
    "ffn.lin2.": "output.dense.",
    "output_layer_norm.": "output.LayerNorm.",
}


def published_name(path: tuple[str, ...]) -> str:
    """The name of a leaf in PyTorch's RobertaModel and BertModel.

    Example:
      >>> published_name(("pooler", "dense", "kernel"))
      'pooler.dense.weight'
    """
    return ".".join((*path[:-1], LEAF_NAMES.get(path[-1], path[-1])))


def to_published(params: dict[str, Any]) -> dict[str, np.ndarray]:
    """The Flax tree as named tensors in PyTorch's layout: kernels transposed.

    Args:
      params: nested dictionaries of arrays.

    Returns:
      Name → array.

    Example:
      >>> tensors = to_published({"dense": {"kernel": np.ones((2, 3)), "bias": np.zeros(3)}})
      >>> {name: tensor.shape for name, tensor in tensors.items()}
      {'dense.weight': (3, 2), 'dense.bias': (3,)}
    """
    return {
        published_name(path): np.ascontiguousarray(_transposed(path, np.asarray(leaf)))
        for path, leaf in flatten_dict(params).items()
    }


def to_params(
    tensors: dict[str, np.ndarray], shapes: dict[str, Any], *, source: Path, optional: str = ""
) -> dict[str, Any]:
    """The Flax tree from named tensors in PyTorch's layout; tensors it does not need are ignored.

    Args:
      tensors: name → array; names may share a prefix ("roberta." in models with a head).
      shapes: the tree wanted, with leaves that have a `shape`.
      source: the file, for messages.
      optional: top-level name of leaves that may be missing; they are 0 then.

    Returns:
      float32 arrays, structured like `shapes`.

    Raises:
      InputError: a tensor is missing or has another shape.
    """
    prefix = _common_prefix(tensors, source)
    params, missing = {}, []
    for path, leaf in flatten_dict(shapes).items():
        tensor = _find(tensors, prefix + published_name(path))
        if tensor is not None:
            params[path] = _as_leaf(path, tensor, leaf.shape, source)
        elif path[0] == optional:
            params[path] = jnp.zeros(leaf.shape)
        else:
            missing.append(published_name(path))
    if missing:
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise InputError(f"{source}: no tensor {missing[0]}{more}; use a checkpoint that has them")
    return unflatten_dict(params)


def _find(tensors: dict[str, np.ndarray], name: str) -> np.ndarray | None:
    """The tensor of that name; checkpoints of the first BERT have LayerNorm's gamma and beta."""
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
    old = old.replace("LayerNorm.bias", "LayerNorm.beta")
    return tensors.get(name, tensors.get(old))


def _common_prefix(tensors: dict[str, np.ndarray], source: Path) -> str:
    """The prefix of the encoder's names in this checkpoint."""
    prefixes = [
        name.removesuffix(WORD_EMBEDDINGS) for name in tensors if name.endswith(WORD_EMBEDDINGS)
    ]
    if len(prefixes) != 1:
        raise InputError(
            f"{source}: {len(prefixes)} tensors are called {WORD_EMBEDDINGS}, not 1; "
            "use the checkpoint of one RoBERTa or BERT encoder"
        )
    return prefixes[0]


def _as_leaf(
    path: tuple[str, ...], tensor: np.ndarray, shape: tuple[int, ...], source: Path
) -> jax.Array:
    """A tensor as the float32 leaf at `path`."""
    leaf = _transposed(path, tensor)
    if leaf.shape != shape:
        wanted = _transposed(path, np.broadcast_to(0.0, shape)).shape  # which takes no memory
        raise InputError(
            f"{source}: {published_name(path)} has shape {tensor.shape}, config.json asks for "
            f"{wanted}; the two files do not belong together"
        )
    return jnp.asarray(leaf, jnp.float32)


def _transposed(path: tuple[str, ...], array: np.ndarray) -> np.ndarray:
    """Between Flax's and PyTorch's layout: linear layers are (in, out) here, (out, in) there."""
    return array.T if path[-1] == "kernel" else array


class _Index(TypedDict):
    """What the index of sharded weights says: the file of each tensor."""

    weight_map: dict[str, str]


def read_tensors(folder: Path) -> tuple[dict[str, np.ndarray], Path]:
    """The tensors of a checkpoint folder, by published name.

    Args:
      folder: holds one of WEIGHT_FILES; the first of them that is there is read.

    Returns:
      Name → array, and the file they came from; for shards their index.

    Raises:
      InputError: no such file, a damaged one, shards that are not what their index says, or only a
        .bin file but no torch.
    """
    for name, read in WEIGHT_FILES.items():
        if (path := folder / name).exists():
            return read(path), path
    raise InputError(
        f"{folder}: no weights (looked for {', '.join(WEIGHT_FILES)}); "
        "save the model there, or fetch a Hub checkpoint with --download"
    )


def weight_files(folder: Path) -> list[Path]:
    """The files that `read_tensors` reads: none, one, or an index and its shards.

    Raises:
      InputError: an index that is none, or that names files outside of the folder.
    """
    paths = [path for name in WEIGHT_FILES if (path := folder / name).exists()][:1]
    if paths and paths[0].name == INDEX:
        paths += [folder / name for name in shards(paths[0])]
    return paths


def shards(index: Path) -> dict[str, set[str]]:
    """The files that an index of sharded weights names, and the tensors that it says of each.

    Raises:
      InputError: no index, or a file outside of its folder.
    """
    names: dict[str, set[str]] = {}
    for tensor, file in read_json(index, _Index)["weight_map"].items():
        names.setdefault(file, set()).add(tensor)
    for file in names:
        try:
            safe_join(index.parent, file)
        except InputError as error:
            raise InputError(f"{index}: {error}") from None
    return names


def check_finite(tensors: dict[str, np.ndarray], source: Path) -> None:
    """Raises InputError where a tensor holds NaN or infinity, of which no vector can be made.

    A sum in float64 finds them without an array of booleans: no sum of finite float32 overflows.
    """
    for name, tensor in tensors.items():
        if jnp.issubdtype(tensor.dtype, jnp.floating):
            with np.errstate(invalid="ignore"):  # infinity minus infinity
                total = tensor.sum(dtype=np.float64)
            if not np.isfinite(total):
                raise InputError(f"{source}: {name} is not finite (NaN or infinity): damaged")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """A .safetensors file, in PyTorch's layout."""
    try:
        return safetensors.numpy.load_file(path)
    except safetensors.SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); fetch it anew") from None


def _read_shards(path: Path) -> dict[str, np.ndarray]:
    """The .safetensors files that an index names, each with just the tensors that it says."""
    tensors = {}
    for name, said in shards(path).items():
        if not (shard := path.parent / name).is_file():
            raise InputError(f"{shard}: missing, but {path.name} names it; fetch it anew")
        found = _read_safetensors(shard)
        if missing := sorted(said - set(found)):
            raise InputError(f"{shard}: no tensor {missing[0]}, which {path.name} has there")
        if more := sorted(set(found) - said):
            raise InputError(f"{shard}: a tensor {more[0]}, which {path.name} does not have there")
        tensors |= found
    return tensors


def _read_msgpack(path: Path) -> dict[str, np.ndarray]:
    """A file that a Flax model wrote, converted to PyTorch's layout."""
    try:
        return to_published(msgpack_restore(path.read_bytes()))
    except Exception as error:  # msgpack raises classes of its own for each kind of damage
        raise InputError(f"{path}: not a whole msgpack file ({error}); fetch it anew") from None


def _read_bin(path: Path) -> dict[str, np.ndarray]:
    """A .bin file, through torch, tensors only."""
    try:
        import torch
    except ImportError:
        raise InputError(
            f"{path}: .bin weights are read by torch: pip install torch, or use a revision "
            "with model.safetensors"
        ) from None
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.float().numpy() for name, tensor in tensors.items()}
    except Exception as error:  # damage shows as any of several classes
        reason = first_line(error)
        raise InputError(f"{path}: not a whole checkpoint ({reason}); fetch it anew") from None


# By file name, in the order of preference.
INDEX = "model.safetensors.index.json"
WEIGHT_FILES = {
    "model.safetensors": _read_safetensors,
    INDEX: _read_shards,
    "flax_model.msgpack": _read_msgpack,
    "pytorch_model.bin": _read_bin,
}


def as_bert_config(config: DistilBertConfig) -> BertConfig:
    """The configuration of the BERT that computes the same as a DistilBERT.

    Example:
      >>> as_bert_config(DistilBertConfig(dim=8, n_heads=2, activation="relu")).hidden_act
      'relu'
    """
    return BertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.dim,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        intermediate_size=config.hidden_dim,
        hidden_act=config.activation,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.attention_dropout,
        max_position_embeddings=config.max_position_embeddings,
        type_vocab_size=1,
        initializer_range=config.initializer_range,
        layer_norm_eps=1e-12,
        pad_token_id=config.pad_token_id,
    )


def is_distilbert(tensors: dict[str, np.ndarray]) -> bool:
    """Whether the tensors have DistilBERT's names."""
    return any("attention.q_lin." in name for name in tensors)


def as_bert_tensors(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """DistilBERT's tensors under BERT's published names, with a token type embedding of zeros.

    Args:
      tensors: name → array in PyTorch's layout; names may share a prefix ("distilbert.").

    Returns:
      Name → array; there is no pooler.

    Example:
      >>> words = {"distilbert.embeddings.word_embeddings.weight": np.ones((9, 4))}
      >>> {name: tensor.shape for name, tensor in as_bert_tensors(words).items()}
      {'distilbert.embeddings.word_embeddings.weight': (9, 4),
       'distilbert.embeddings.token_type_embeddings.weight': (1, 4)}
    """
    renamed = {_bert_name(name): tensor for name, tensor in tensors.items()}
    types = {
        name.removesuffix(WORD_EMBEDDINGS) + TYPE_EMBEDDINGS: np.zeros(
            (1, tensor.shape[1]), np.float32
        )
        for name, tensor in tensors.items()
        if name.endswith(WORD_EMBEDDINGS)
    }
    return renamed | types


def _bert_name(name: str) -> str:
    """BERT's name for a tensor of DistilBERT.

    Example:
      >>> _bert_name("transformer.layer.3.attention.q_lin.bias")
      'encoder.layer.3.attention.self.query.bias'
    """
    for theirs, berts in BERT_NAMES.items():
        name = name.replace(theirs, berts)
    return name
