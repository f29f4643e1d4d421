"""Fingerprints: one hash of everything that decides the vectors of a checkpoint."""

from __future__ import annotations

import hashlib
from pathlib import Path

from softnce_jax.pretrained.convert import READERS
from softnce_jax.pretrained.hub import SMALL_FILES, locate
from softnce_jax.pretrained.presets import preset
from softnce_jax.pretrained.sentence_transformers import read_modules


def fingerprint(name_or_path: str | Path, *, download: bool = False) -> str:
    """SHA-256 of a checkpoint's weights, tokenizer, configuration and preset, without loading it.

    Args:
      name_or_path: as of `checkpoints.load`.
      download: as of `checkpoints.load`.

    Returns:
      64 hexadecimal digits; the same wherever the files lie.

    Raises:
      InputError: the checkpoint is not there.
    """
    chosen = preset(str(name_or_path))
    folder = locate(chosen.checkpoint, revision=chosen.revision, download=download)
    transformer = read_modules(folder).transformer
    weights = [path for name in READERS if (path := transformer / name).exists()][:1]
    small = {path for pattern in SMALL_FILES for path in folder.glob(pattern)}
    names = ("pooling", "prefix", "query_length", "code_length", "dataflow", "flow_length")
    settings = [getattr(chosen, name) for name in names]
    digest = hashlib.sha256(repr(settings).encode())
    for path in sorted({*weights, *small}):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()
