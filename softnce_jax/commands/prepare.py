"""Preparing CodeSearchNet, and fetching the models that will be trained on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import tensorflow_datasets as tfds
from absl import logging

from softnce_jax.data.code_search_net.code_search_net_dataset_builder import Builder
from softnce_jax.data.code_search_net.published import ABOUT, PROTOCOL
from softnce_jax.data.corpus import LANGUAGES
from softnce_jax.data.sources import data_folder
from softnce_jax.errors import InputError
from softnce_jax.pretrained.hub import locate
from softnce_jax.pretrained.presets import preset
from softnce_jax.train.prepare_config import PrepareConfig

Say = Callable[[str], None]


def prepare(config: PrepareConfig, say: Say = print) -> None:
    """Prepares the languages and fetches the models that the flags name.

    Raises:
      InputError: an unknown language, or data that no source has, after what the others have was
        prepared.
    """
    if config.lang != "all" and config.lang not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(f"unknown language {config.lang!r}: --lang takes {known} or all")
    if config.processes is not None and config.processes < 1:
        raise InputError(f"--processes {config.processes}: at least 1")
    for name in (config.encoder or "").split(","):
        if name and (known := preset(name)).checkpoint:
            say(f"{name}: {locate(known.checkpoint, revision=known.revision, download=True)}")
    logging.set_verbosity(logging.ERROR)  # TFDS tells what we tell
    failed = []
    for language in LANGUAGES if config.lang == "all" else (config.lang,):
        try:
            prepare_language(config, language, say)
        except InputError as error:
            if config.lang != "all":
                raise
            failed.append(f"{error}")
    if failed:
        raise InputError("\n".join(failed))


def prepare_language(config: PrepareConfig, language: str, say: Say) -> Path:
    """The folder of a language's data, prepared unless it is there."""
    builder = Builder(
        config=language,
        data_dir=data_folder(),
        select=config.select,
        processes=config.processes,
        say=say,
    )
    folder = Path(builder.data_dir)
    if not (folder / ABOUT).exists():
        builder.download_and_prepare(
            download_dir=data_folder() / "downloads",
            download_config=tfds.download.DownloadConfig(
                manual_dir=config.folder, try_download_gcs=False
            ),
        )
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    if about["select"] != config.select:
        raise InputError(
            f"{folder} was prepared with --select {about['select']}: remove it to have "
            f"--select {config.select}"
        )
    counts = ", ".join(f"{count:,} {split}" for split, count in about["counts"].items())
    as_published = ", as published" if about["protocol"] == PROTOCOL else ""
    say(f"{language}: {counts}{as_published}: {folder}")
    return folder
