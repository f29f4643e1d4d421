"""What `--data` and `--lang` name: the corpora of one language or of all six."""

from __future__ import annotations

import os
from pathlib import Path

from softnce_jax.data.code_search_net.published import ABOUT
from softnce_jax.data.corpus import LANGUAGES, Corpus
from softnce_jax.data.load import read_corpus
from softnce_jax.data.sample import load_sample
from softnce_jax.errors import InputError


def data_folder() -> Path:
    """Where real CodeSearchNet data is looked for: $SOFTNCE_DATA, else the user's cache."""
    return Path(os.environ.get("SOFTNCE_DATA", "~/.cache/softnce_jax")).expanduser()


def load_corpora(data: str, lang: str, *, strict: bool = False) -> tuple[list[Corpus], list[str]]:
    """Loads the corpora that the flags `--data` and `--lang` name.

    Args:
      data: `sample`; a folder or file (see `read_corpus`); or `auto`, CodeSearchNet where it is
        prepared, or lies as files, in `data_folder()`, else the sample.
      lang: one of LANGUAGES, or `all`.
      strict: unusable rows are errors.

    Returns:
      One corpus a language, and lines to tell the user: the choice made, the rows skipped.

    Raises:
      InputError: an unknown language, an absent folder, an unusable file.
    """
    if lang != "all" and lang not in LANGUAGES:
        raise InputError(f"unknown language {lang!r}: --lang takes {', '.join(LANGUAGES)} or all")
    languages = LANGUAGES if lang == "all" else (lang,)
    notes = []
    if data == "auto":
        real = data_folder() / "code_search_net"
        if absent := [language for language in languages if not _is_there(real / language)]:
            notes.append(
                f"no CodeSearchNet ({', '.join(absent)}) in {real}: using the embedded sample (to "
                f"have it, python experiments/prepare.py --lang {lang}; to train on your own data, "
                f"--data FOLDER)"
            )
        data = "sample" if absent else str(real)
    if data == "sample":
        return [load_sample(language) for language in languages], notes
    corpora = [_read(data, language, strict=strict) for language in languages]
    notes += [f"{c.language}: {line}" for c in corpora for line in (*c.notes, *c.problems.lines())]
    return corpora, notes


def _is_there(folder: Path) -> bool:
    """Whether a folder holds more than a preparing that was broken off."""
    return folder.is_dir() and any(
        not entry.name.startswith("incomplete.") for entry in folder.iterdir()
    )


def _read(data: str, language: str, *, strict: bool) -> Corpus:
    """The corpus of a language in a folder, prepared or in any other form."""
    if (folder := prepared_folder(Path(data), language)) is None:
        return read_corpus(data, language, strict=strict)
    from softnce_jax.data.code_search_net.prepared import (
        read_prepared,  # here, since most data are not TFDS's
    )

    return read_prepared(folder, language)


def prepared_folder(root: Path, language: str) -> Path | None:
    """Where `experiments/prepare.py` put a language, the newest version; None if nowhere."""
    versions = (root / language).glob(f"*.*.*/{ABOUT}")
    return max((path.parent for path in versions), default=None)
