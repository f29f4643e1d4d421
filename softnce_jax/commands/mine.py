"""`softnce mine`: training data of a source tree."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from softnce_jax.languages import LANGUAGES
from softnce_jax.typed import Count, OutPath


@dataclasses.dataclass(frozen=True)
class Flags:
    """Turns a source tree or a git repository into training data for finetune.py.

    Nothing of the tree is run or imported, and git is not called.
    """

    path: Positional[str]
    """The folder to read."""
    lang: Annotated[str, arg(help=f"{', '.join(LANGUAGES)}.")]
    out: OutPath
    """Where the data go: a folder of the language's name is made in it."""
    split_by: Literal["file", "folder"] = "file"
    """What is never split: a file, or a folder below PATH (and each repository in it)."""
    processes: Count | None = None
    """At work; by default one a core."""


def main(flags: Flags) -> None:
    """Mines the tree that the flags name."""
    from softnce_jax.data.mining.mine import mine

    mine(
        flags.path,
        language=flags.lang,
        out=flags.out,
        split_by=flags.split_by,
        processes=flags.processes,
    )
