"""The Hub: from a checkpoint's name to a folder on this machine."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from softnce_jax.errors import InputError, first_line
from softnce_jax.pretrained.convert import READERS

# Configuration, tokenizer, and sentence-transformers' folders.
SMALL_FILES = ["*.json", "*.txt", "?_*/*.json", "?_*/*.safetensors"]


def locate(name: str, *, revision: str, download: bool) -> Path:
    """The folder of a checkpoint.

    Args:
      name: a folder, a finished run's too, or a Hub id.
      revision: Hub revision; not used for a folder.
      download: whether a Hub id may be fetched; else only the local cache is looked at.

    Returns:
      The folder; of a run its model/; for a Hub id its snapshot in the cache.

    Raises:
      InputError: an unfinished run, or neither a folder nor a cached (or, with `download`,
        reachable) Hub id.
    """
    if Path(name).expanduser().is_dir():
        return model_folder(Path(name).expanduser())
    try:
        return fetch(name, revision) if download else cached(name, revision)
    except HFValidationError:
        raise InputError(f"{name}: no such folder, and not the form of a Hub id") from None


def model_folder(folder: Path) -> Path:
    """The folder itself, or the model of the run that it holds."""
    if not all((folder / name).exists() for name in ("config.json", "metrics.jsonl")):
        return folder
    if not (folder / "model").is_dir():
        raise InputError(
            f"{folder}: the run is not finished; finish it (to evaluate it as it is, name one of "
            "its checkpoints/)"
        )
    return folder / "model"


def cached(name: str, revision: str) -> Path:
    """The snapshot of a Hub id in the local cache."""
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        raise InputError(
            f"{name}: no such folder, and revision {revision} is not in the Hub cache "
            f"{constants.HF_HUB_CACHE}; fetch it with --download"
        ) from None


def fetch(name: str, revision: str) -> Path:
    """The snapshot of a Hub id, downloaded: one weight file, and the small files beside it."""
    try:
        files = HfApi().list_repo_files(name, revision=revision)
        weights = [file for file in READERS if file in files][:1]
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=[*SMALL_FILES, *weights])
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = first_line(error)
        raise InputError(f"{name} (revision {revision}) cannot be fetched: {reason}") from error
