"""From the name of a checkpoint, perhaps on the Hugging Face Hub, to a folder on this machine."""

from __future__ import annotations

import glob
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from softnce_jax.errors import InputError, first_line
from softnce_jax.files import safe_join, to_path
from softnce_jax.pretrained.convert import INDEX, WEIGHT_FILES, shards

__all__ = ["SMALL_FILES", "locate"]

# Configuration, tokenizer, and the folders of sentence-transformers.
SMALL_FILES = ["*.json", "*.txt", "?_*/*.json", "?_*/*.safetensors"]


def locate(name: str, *, revision: str, download: bool) -> Path:
    """The folder of a checkpoint.

    Args:
      name: a model folder, the folder of a finished run, or a Hub id.
      revision: of a Hub id.
      download: whether a Hub id may be fetched; else it must be in the local cache.

    Returns:
      The model folder; for a run its model/; for a Hub id its snapshot in the cache.

    Raises:
      InputError: an unfinished run, or neither a folder nor a Hub id that is cached or, with
        `download`, can be fetched.
    """
    if (path := to_path(name)).is_dir():
        return _model_folder(path)
    if path.is_file():
        raise InputError(f"{name} is a file: name the folder of a model or of a run")
    try:
        return _fetch(name, revision) if download else _cached(name, revision)
    except HFValidationError:
        raise InputError(f"{name}: no such folder, and not the form of a Hub id") from None


def _model_folder(folder: Path) -> Path:
    """The folder itself, or the model in it if it is that of a run."""
    if not all((folder / name).exists() for name in ("config.json", "metrics.jsonl")):
        return folder
    if not (folder / "model").is_dir():
        raise InputError(
            f"{folder}: the run is not finished; finish it (to evaluate it as it is, name one of "
            "its checkpoints/)"
        )
    return folder / "model"


def _cached(name: str, revision: str) -> Path:
    """The snapshot of a Hub id in the local cache."""
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        raise InputError(
            f"{name}: no such folder, and revision {revision} is not in the Hub cache "
            f"{constants.HF_HUB_CACHE}; fetch it with --download"
        ) from None


def _fetch(name: str, revision: str) -> Path:
    """Downloads a Hub id: one weight file, or all shards of one, and the small files beside it."""
    try:
        files = HfApi().list_repo_files(name, revision=revision)
        for file in files:
            safe_join("model", file)  # a name that leads out of the cache would be written there
        weights = [file for file in WEIGHT_FILES if file in files][:1]
        if weights == [INDEX]:
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=SMALL_FILES))
            weights = [glob.escape(file) for file in shards(folder / INDEX)]
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=[*SMALL_FILES, *weights])
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"{name} (revision {revision}) cannot be fetched ({_reason(error)}); without a "
            "network, name the folder of a model"
        ) from error


def _reason(error: BaseException) -> str:
    """What went wrong at the bottom: the libraries above it wrap errors in errors' texts."""
    seen = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "reason", None) or next(
            (part for part in error.args if isinstance(part, BaseException)), None
        )
        error = inner if isinstance(inner, BaseException) else error
    return first_line(error).rpartition(">: ")[2]
