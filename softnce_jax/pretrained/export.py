"""Export: an encoder as a folder that transformers and sentence-transformers load."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path
from typing import Any

import safetensors.numpy

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.tokenizer import as_fast
from softnce_jax.pretrained.convert import to_published
from softnce_jax.pretrained.sentence_transformers import write_modules

ARCHITECTURES = {"roberta": "RobertaModel", "bert": "BertModel"}


def export_model(folder: str | Path, encoder: Encoder, params: dict[str, Any]) -> None:
    """Writes the encoder in the published PyTorch processor, all of it or nothing.

    `transformers.AutoModel`, `SentenceTransformer(folder)` and our `load(folder)` give the same
    vectors from it; a prefix is in the tokenizer. A DistilBERT is written as the BERT that it has
    become. Data flow is ours alone: the other two embed the text of the code without it. An
    existing folder is replaced.

    Args:
      folder: to be written.
      encoder: what made the vectors.
      params: its parameters.

    Raises:
      OSError: it cannot be written, on a full disk for instance; nothing half-written is left.

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
    folder = Path(folder).absolute()
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("new", "old"))
    for left_over in (new, old):
        shutil.rmtree(left_over, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        write(new, encoder, params)
    except (OSError, safetensors.SafetensorError) as error:
        shutil.rmtree(new, ignore_errors=True)
        raise OSError(f"could not save the model in {folder}: {error}") from error
    if folder.exists():
        os.rename(folder, old)
    os.rename(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def write(folder: Path, encoder: Encoder, params: dict[str, Any]) -> None:
    """All files of an exported model."""
    tensors = to_published(params)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = copy.deepcopy(encoder.config)
    config.architectures = [ARCHITECTURES[config.model_type]]
    config.dtype = "float32"
    config.save_pretrained(folder)
    write_tokenizer(folder, encoder)
    names = ["query_length", "code_length"]
    names += ["dataflow", "flow_length"] if encoder.dataflow != "none" else []
    write_modules(
        folder,
        pooling=encoder.pooling,
        normalize=encoder.normalize,
        tensors=tensors,
        settings={name: getattr(encoder, name) for name in names},
    )


def write_tokenizer(folder: Path, encoder: Encoder) -> None:
    """The tokenizer as it stands, special tokens and prefix included."""
    fast = encoder.tokenizer.fast
    generic = as_fast(
        fast.backend_tokenizer,
        fast.special_tokens_map,
        model_max_length=encoder.max_length,
        model_input_names=fast.model_input_names,
    )
    generic.save_pretrained(folder)
