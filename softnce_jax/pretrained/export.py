"""Export: an encoder as a folder that transformers and sentence-transformers load."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import safetensors.numpy

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.encoders.tokenizer import as_fast
from softnce_jax.files import to_path, whole_folder, write_digests
from softnce_jax.pretrained.convert import to_published
from softnce_jax.pretrained.sentence_transformers import write_modules
from softnce_jax.pretrained.static import static_to_folder

__all__ = ["export_model"]

ARCHITECTURES = {"roberta": "RobertaModel", "bert": "BertModel"}


def export_model(
    folder: str | Path, encoder: Encoder | StaticEncoder, params: dict[str, Any]
) -> None:
    """Writes an encoder in PyTorch's layout, completely or not at all.

    `transformers.AutoModel`, `SentenceTransformer(folder)` and this package's `load(folder)` give
    the same vectors from it; prefix and lower case are in the tokenizer, prompts are not, of which
    AutoModel knows nothing. A DistilBERT is written as the BERT that it became when loaded. Only
    `load` reads data flow: the other two embed the text of the code without it. `load` also checks
    every file by the digests in SHA256SUMS. A static encoder is written in model2vec's layout, see
    `write_static`.

    Args:
      folder: to write; one that exists is replaced.
      encoder: the encoder.
      params: its parameters.

    Raises:
      OSError: it cannot be written, for instance to a full disk; no part of it is left.

    Example:
      >>> import jax, tempfile
      >>> from softnce_jax.pretrained.load import load
      >>> from softnce_jax.pretrained.tiny import TinyConfig, tiny
      >>> sizes = TinyConfig(vocab_size=300, hidden_size=32)
      >>> encoder, params = tiny(["def add(a, b)"], key=jax.random.key(0), sizes=sizes)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     export_model(f"{folder}/model", encoder, params)
      ...     load(f"{folder}/model")[0].code_length == encoder.code_length
      True
    """
    folder = to_path(folder).absolute()
    try:
        with whole_folder(folder, replace=True) as new:
            if isinstance(encoder, StaticEncoder):
                static_to_folder(new, encoder.bind(params))
            else:
                _write(new, encoder, params)
            write_digests(new)
    except (OSError, safetensors.SafetensorError) as error:
        raise OSError(f"could not save the model in {folder}: {error}") from error


def _write(folder: Path, encoder: Encoder, params: dict[str, Any]) -> None:
    """Writes all files of an exported model."""
    tensors = to_published(params)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = copy.deepcopy(encoder.config)
    config.architectures = [ARCHITECTURES[config.model_type]]
    config.dtype = "float32"
    config.save_pretrained(folder)
    _write_tokenizer(folder, encoder)
    names = ["query_length", "code_length"]
    names += ["dataflow", "flow_length"] if encoder.dataflow != "none" else []
    settings = {name: getattr(encoder, name) for name in names}
    write_modules(folder, encoder, tensors, settings)


def _write_tokenizer(folder: Path, encoder: Encoder) -> None:
    """Writes the tokenizer with its special tokens and prefix."""
    fast = encoder.tokenizer.fast
    generic = as_fast(
        fast.backend_tokenizer,
        fast.special_tokens_map,
        model_max_length=encoder.max_length,
        model_input_names=fast.model_input_names,
    )
    generic.save_pretrained(folder)
