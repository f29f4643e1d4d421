"""`softnce prepare`: CodeSearchNet as it is trained on, and the models that will be."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Annotated, Literal

import tyro

from softnce_jax.typed import Count

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Flags:
    """Fetches CodeSearchNet and prepares it for training; models too.

    It goes to $SOFTNCE_DATA, else to ~/.cache/softnce_jax, where --data auto finds it. What was
    interrupted goes on with the same command.
    """

    lang: str = "ruby"
    """ruby, javascript, go, python, java, php, or all."""
    folder: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """A folder with files that were fetched by hand: Parquet, zips or JSON lines of functions, and
    dataset.zip or the text files of urls. What it has not is downloaded."""
    select: Literal["lists", "rules"] = "lists"
    """lists: the published splits; rules: all that the cleaning rules leave of the raw data."""
    encoder: str | None = None
    """Models to fetch from the Hub too, so that runs need no network: codebert, graphcodebert,
    unixcoder or Hub ids, separated by commas."""
    processes: Count | None = None
    """At work at once; by default one a core."""


def main(flags: Flags) -> None:
    """Prepares the languages and fetches the models that the flags name.

    Raises:
      InputError: an unknown language, or data that no source has; the other languages are
        prepared first.
    """
    from absl import logging as absl_logging

    from softnce_jax.data.code_search_net.published import COUNTS
    from softnce_jax.errors import InputError
    from softnce_jax.pretrained.hub import locate
    from softnce_jax.pretrained.presets import preset

    if flags.lang != "all" and flags.lang not in COUNTS:
        known = ", ".join(COUNTS)
        raise InputError(f"unknown language {flags.lang!r}: --lang takes {known} or all")
    for name in (flags.encoder or "").split(","):
        if name and (known := preset(name)).checkpoint:
            folder = locate(known.checkpoint, revision=known.revision, download=True)
            log.info(f"{name}: {folder}")
    absl_logging.set_verbosity(absl_logging.ERROR)  # we log the same as TFDS
    failed = []
    for language in COUNTS if flags.lang == "all" else (flags.lang,):
        try:
            prepare_language(flags, language)
        except InputError as error:
            if flags.lang != "all":
                raise
            failed.append(f"{error}")
    if failed:
        raise InputError("\n".join(failed))


def prepare_language(flags: Flags, language: str) -> Path:
    """The folder of a language's data, prepared unless it is there."""
    import tensorflow_datasets as tfds

    from softnce_jax.data.code_search_net.code_search_net_dataset_builder import Builder
    from softnce_jax.data.code_search_net.published import ABOUT, PROTOCOL
    from softnce_jax.data.load import data_folder
    from softnce_jax.errors import InputError
    from softnce_jax.files import lock, read_json

    builder = Builder(
        config=language,
        data_dir=data_folder(),
        select=flags.select,
        processes=flags.processes,
    )
    folder, downloads = Path(builder.data_dir), data_folder() / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    # One at a time: each removes what killed ones left, and that of live ones looks the same.
    with lock(downloads / f"{language}.lock"):
        if not (folder / ABOUT).exists():
            builder.download_and_prepare(
                download_dir=downloads,
                download_config=tfds.download.DownloadConfig(
                    manual_dir=flags.folder, try_download_gcs=False
                ),
            )
    about = read_json(folder / ABOUT)
    if about["select"] != flags.select:
        raise InputError(
            f"{folder} was prepared with --select {about['select']}: remove it to have "
            f"--select {flags.select}"
        )
    counts = ", ".join(f"{count:,} {split}" for split, count in about["counts"].items())
    as_published = ", as published" if about["protocol"] == PROTOCOL else ""
    log.info(f"{language}: {counts}{as_published}: {folder}")
    return folder
