"""The flags of preparing CodeSearchNet."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import tyro


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
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
    processes: int | None = None
    """At work at once; by default one a core."""
