"""Static models as files, in the layouts of model2vec and sentence-transformers; no jax.

A folder holds `model.safetensors` with a table of token vectors, `tokenizer.json`, and
`config.json` or `modules.json`. What is written here is model2vec's layout, which model2vec,
sentence-transformers and what is built on them load as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer as Backend

from softnce_jax.encoders.static import BagTokenizer, StaticTextEncoder, Table
from softnce_jax.errors import InputError, first_line
from softnce_jax.files import (
    read_json,
    to_path,
    whole_folder,
    write_digests,
    write_json,
)
from softnce_jax.pretrained.presets import is_static
from softnce_jax.pretrained.sentence_transformers import (
    MODEL,
    read_chain,
    read_model,
    write_chain,
    write_model,
)
from softnce_jax.typed import Length

if TYPE_CHECKING:
    from softnce_jax.files import StrPath

__all__ = ["load_static", "static_from_folder", "static_to_folder", "write_static"]

CONFIG = "config.json"
# Tokens of a text where the layout of model2vec names no number; sentence-transformers' has no end.
USUAL_LENGTH = 512
RARE = "\U00010380 \U0001f701"  # a letter and a symbol that hardly a vocabulary has
_CHAINS = (["StaticEmbedding"], ["StaticEmbedding", "Normalize"])


class _Config(TypedDict, total=False):
    """What the config.json of model2vec says, as far as it is read."""

    normalize: bool
    max_length: Length | None


def load_static(name_or_path: StrPath) -> StaticTextEncoder:
    """A static model as a text encoder that needs no jax: texts in, vectors out.

    It is for answers that begin at once, so it trusts the bytes of the files, while `load_encoder`
    first compares them with SHA256SUMS.

    Args:
      name_or_path: the folder of a run or of a model, in the layout of model2vec or
        sentence-transformers, or a Hub id in the local cache.

    Returns:
      The StaticTextEncoder; `load_encoder` returns the same for a static model.

    Raises:
      InputError: no such model, one that is not static, or one that cannot be used, in one line
        that names the file.

    Example:
      >>> load_static("someone/not-here")
      Traceback (most recent call last):
      ...
      softnce_jax.errors.InputError: someone/not-here: no such folder, and revision main is ...
    """
    folder = to_path(name_or_path)
    if not is_static(folder):
        if is_static(folder / "model"):  # of a run
            folder = folder / "model"
        else:
            from softnce_jax.pretrained.hub import locate  # here, for it takes a while

            folder = locate(str(name_or_path), revision="main", download=False)
    if not is_static(folder):
        raise InputError(f"{folder}: no static model; load_encoder loads others")
    return static_from_folder(folder)


def static_from_folder(folder: Path) -> StaticTextEncoder:
    """The static model of a folder; raises InputError as `load_static`."""
    config: dict[str, Any] = {}
    if (folder / CONFIG).exists():
        config = read_json(folder / CONFIG, _Config)
    chain, usual_length = [("StaticEmbedding", folder)], USUAL_LENGTH
    if (folder / "modules.json").exists():
        chain, usual_length = read_chain(folder), None
    kinds = [kind for kind, _ in chain]
    if kinds not in _CHAINS:
        raise InputError(f"{folder / 'modules.json'}: cannot compute {' → '.join(kinds)}")
    model = read_model(folder / MODEL, pools_prompts=True)
    own = chain[0][1]
    tokenizer = BagTokenizer(
        _read_tokenizer(own / "tokenizer.json"),
        max_length=config.get("max_length", usual_length),
        prompts=model["prompts"],
    )
    table = _read_table(own / "model.safetensors", tokenizer.vocab_size)
    normalize = "Normalize" in kinds or config.get("normalize", False)
    if (size := model["truncate_dim"]) is not None:
        if normalize:
            raise InputError(f"{folder / MODEL}: truncate_dim {size} after Normalize")
        table = table._replace(embeddings=table.embeddings[:, :size])
    similarity = model["similarity"] or "cosine"
    return StaticTextEncoder(tokenizer, table, normalize=normalize, similarity=similarity)


def _read_tokenizer(path: Path) -> Backend:
    if not path.is_file():
        raise InputError(f"{path}: missing")
    try:
        backend = Backend.from_file(str(path))
    except Exception as error:  # of the class Exception itself
        raise InputError(f"{path}: no tokenizer ({first_line(error)})") from None
    try:
        backend.encode(RARE)
    except Exception as error:
        raise InputError(f"{path}: it fails at unknown text ({first_line(error)})") from None
    return backend


def _read_table(path: Path, tokens: int) -> Table:
    """The table of a safetensors file, a row for each token, once its mapping is applied."""
    if not path.is_file():  # one that waits for a writer would be opened for ever
        raise InputError(f"{path}: no safetensors file (missing, or no regular file)")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: no safetensors file ({first_line(error)})") from None
    except (AttributeError, TypeError) as error:
        raise InputError(f"{path}: numbers that numpy lacks ({first_line(error)})") from None
    name = "embeddings" if "embeddings" in tensors else "embedding.weight"
    if name not in tensors:
        known = ", ".join(sorted(tensors)[:5])
        raise InputError(f"{path}: no tensor embeddings or embedding.weight (it has {known})")
    row_KD = tensors[name]
    known_type = row_KD.dtype in (np.float16, np.float32, np.float64, np.int8)
    if row_KD.ndim != 2 or not row_KD.shape[1] or not known_type:
        raise InputError(
            f"{path}: {name} is {row_KD.dtype}{list(row_KD.shape)}, not a table of floats or int8"
        )
    if (mapping_V := tensors.get("mapping")) is not None:
        row_KD = row_KD[_check_mapping(mapping_V, len(row_KD), tokens, path)]
    if len(row_KD) != tokens:
        raise InputError(
            f"{path}: {name} has {len(row_KD)} rows, tokenizer.json has {tokens} tokens: they do "
            "not belong together"
        )
    weight_V = tensors.get("weights", np.ones(tokens, np.float32))
    if weight_V.shape != (tokens,):
        raise InputError(
            f"{path}: weights have the shape {list(weight_V.shape)}, tokenizer.json has {tokens} "
            "tokens"
        )
    with np.errstate(over="ignore"):  # told below
        weight_V = weight_V.astype(np.float32, copy=False)
        if row_KD.dtype == np.float64:
            row_KD = row_KD.astype(np.float32)
    for field, array in ((name, row_KD), ("weights", weight_V[:, None])):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(array.sum(dtype=np.float32)):  # as nearly always, in a tenth of the time
                continue
        if len(bad := np.flatnonzero(~np.isfinite(array).all(axis=1))):
            raise InputError(
                f"{path}: {field}: row {bad[0]} is not finite (NaN, infinity, or beyond float32)"
            )
    return Table(row_KD, weight_V)


def _check_mapping(mapping_V: np.ndarray, rows: int, tokens: int, path: Path) -> np.ndarray:
    """The mapping from tokens to rows, once it is one."""
    if mapping_V.shape != (tokens,) or not np.issubdtype(mapping_V.dtype, np.integer):
        raise InputError(
            f"{path}: mapping is {mapping_V.dtype}{list(mapping_V.shape)}, not an integer for each "
            f"of the {tokens} tokens"
        )
    if len(bad := np.flatnonzero((mapping_V < 0) | (mapping_V >= rows))):
        raise InputError(
            f"{path}: mapping: token {bad[0]} has row {mapping_V[bad[0]]} of {rows} rows"
        )
    return mapping_V


def write_static(
    folder: StrPath,
    model: StaticTextEncoder,
    *,
    table_type: Literal["float32", "float16", "int8"] = "float32",
) -> None:
    """Writes a static model as a folder in the layout of model2vec, with SHA256SUMS.

    Args:
      folder: to write; one of that name is replaced.
      model: what is written.
      table_type: of the numbers of the table. float16 halves the file; int8 quarters it and keeps
        directions alone, as model2vec's does, and sentence-transformers cannot load it.

    Raises:
      InputError: an int8 table of a model whose vectors are compared by dot products, or numbers
        beyond float16.
      OSError: the folder cannot be written.
    """
    with whole_folder(to_path(folder).absolute(), replace=True) as new:
        static_to_folder(new, model, table_type=table_type)
        write_digests(new)


def static_to_folder(
    folder: Path, model: StaticTextEncoder, *, table_type: str = "float32"
) -> None:
    """Writes the files of a static model into an empty folder; raises as `write_static`."""
    row_VD = np.asarray(model.table.embeddings)
    if (unknown := model.tokenizer.unknown_id) is not None:
        row_VD = row_VD.copy()
        row_VD[unknown] = 0  # sentence-transformers counts it, model2vec and this package do not
    tensors = {"embeddings": _as_type(row_VD, table_type, model), "weights": model.table.weights}
    save_file(
        {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    model.tokenizer.backend.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": model.dimensions,
        "embedding_dtype": table_type,
        "normalize": model.normalize,
        "max_length": model.tokenizer.max_length,
    }
    write_json(folder / CONFIG, config)
    chain = {"StaticEmbedding": "."} | ({"Normalize": "1_Normalize"} if model.normalize else {})
    write_chain(folder, chain)
    write_model(folder / MODEL, model.tokenizer.prompts, model.similarity_name)


def _as_type(row_VD: np.ndarray, table_type: str, model: StaticTextEncoder) -> np.ndarray:
    """The table in numbers of a type."""
    if table_type != "int8":
        with np.errstate(over="ignore"):  # told below
            as_type_VD = row_VD.astype(table_type)
        if not np.isfinite(as_type_VD).all():
            largest = np.abs(row_VD).max()
            raise InputError(f"the table has numbers up to {largest:g}, beyond {table_type}")
        return as_type_VD
    if not model.normalize and model.similarity_name == "dot":
        raise InputError(
            "int8 keeps the directions of vectors alone, and this model's are compared "
            "by dot products: use float16"
        )
    if row_VD.dtype == np.int8:
        return row_VD
    scale = max(np.abs(row_VD).max(), np.finfo(np.float32).tiny) / 127
    return np.rint(row_VD / np.float32(scale)).astype(np.int8)
