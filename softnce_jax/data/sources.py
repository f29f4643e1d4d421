"""What `--data` and `--lang` name: the corpora of one language or of all six."""

from __future__ import annotations

import os
from pathlib import Path

from softnce_jax.data.pairs import LANGUAGES, Corpus
from softnce_jax.data.read import read_corpus
from softnce_jax.data.sample import load_sample
from softnce_jax.errors import InputError


def data_folder() -> Path:
    """Where real CodeSearchNet data is looked for: $SOFTNCE_DATA, else the user's cache."""
    return Path(os.environ.get("SOFTNCE_DATA", "~/.cache/softnce_jax")).expanduser()


def load_corpora(data: str, lang: str, *, strict: bool = False) -> tuple[list[Corpus], list[str]]:
    """Loads the corpora that the flags `--data` and `--lang` name.

    Args:
      data: `sample`; a folder or file (see `read_corpus`); or `auto`, CodeSearchNet where it
        lies in `data_folder()`, else the sample.
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
        found = all((real / language).is_dir() for language in languages)
        data = str(real) if found else "sample"
        if not found:
            notes.append(
                f"no CodeSearchNet in {real}: using the embedded sample (to train on your own "
                f"data, --data FOLDER; see 'Bring your data' in README.md)"
            )
    if data == "sample":
        return [load_sample(language) for language in languages], notes
    corpora = [read_corpus(data, language, strict=strict) for language in languages]
    notes += [f"{c.language}: {line}" for c in corpora for line in (*c.notes, *c.problems.lines())]
    return corpora, notes
