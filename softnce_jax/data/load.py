"""Reads a corpus from a folder or file of the user's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from softnce_jax.data.code_search_net.published import ABOUT
from softnce_jax.data.corpus import LANGUAGES, Candidate, Corpus, Pair, RowErrors
from softnce_jax.data.formats import find_source
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


# Where a row's texts may stand: lists of tokens, then strings. CodeSearchNet's names, the Hub's.
URL = ("url", "func_code_url")
QUERY = (
    ("docstring_tokens", "func_documentation_tokens"),
    (
        "docstring",
        "query",
        "func_documentation_string",
    ),
)
CODE = (
    ("code_tokens", "func_code_tokens"),
    (
        "code",
        "original_string",
        "func_code_string",
        "whole_func_string",
    ),
)


def read_corpus(path: str | Path, language: str, *, strict: bool = False) -> Corpus:
    """Reads one language's pairs and candidates, in any of the formats of docs/data.md.

    A row has `url`, a query (`docstring_tokens` joined by spaces, else `docstring` or `query`) and
    code (`code_tokens` joined, else `code` or `original_string`); `family` is optional. A query's
    true code is the candidate with the same url. Where the data have no codebase, the functions of
    valid and test are the candidates, and a row without url is named by its code.

    Args:
      path: a folder, perhaps with a subfolder of the language's name, or a file.
      language: one of LANGUAGES.
      strict: raise at the first unusable row instead of counting it.

    Returns:
      The corpus, with what was skipped in `problems`.

    Raises:
      InputError: nothing there that is known, or (strict) an unusable row, by file and line.
    """
    root = Path(path)
    if (root / language).is_dir():
        root = root / language
    source = find_source(root)
    rows = _Rows(language, RowErrors(strict=strict), named=source.has_codebase)
    for split, place, row in source.rows(rows.problems):
        rows.add(split, place, row)
    notes = list(source.notes)
    if not source.has_codebase:
        rows.use_functions_of("valid", "test")
        notes.append(f"no codebase: the {len(rows.codebase)} functions of valid and test stand in")
    rows.leave_out_unanswerable("valid", "test")
    pairs = {split: [pair for _, pair in placed] for split, placed in rows.pairs.items()}
    codebase = list(rows.codebase.values())
    return Corpus(str(root), language, **pairs, codebase=codebase,
                  problems=rows.problems, notes=tuple(notes))  # fmt: skip


class _Rows:
    """The usable rows so far; the others go to the problems."""

    def __init__(self, language: str, problems: RowErrors, *, named: bool):
        self.language, self.problems, self.named = language, problems, named
        self.pairs: dict[str, list[tuple[str, Pair]]] = {"train": [], "valid": [], "test": []}
        self.codebase: dict[str, Candidate] = {}
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, split: str, place: str, row: dict) -> None:
        code = _text(row, *CODE)
        texts = (
            {"code": code} if split == "codebase" else {"query": _text(row, *QUERY), "code": code}
        )
        url = next((row[name] for name in URL if isinstance(row.get(name), str)), None)
        if url is None and not self.named and code:
            url = f"code:{hashlib.sha256(code.encode()).hexdigest()[:16]}"
        reason = _unusable(row, self.language, texts | {"url": url}) or self._repeated(
            split, url, texts
        )
        if reason is not None:
            self.problems.add(reason, place)
        elif split == "codebase":
            self.codebase[url] = Candidate(code, url, self.language, row.get("family"))
        else:
            pair = Pair(texts["query"], code, url, self.language, row.get("family"))
            self._seen.add((split, url, pair.query))
            self.pairs[split].append((place, pair))

    def use_functions_of(self, *splits: str) -> None:
        """Makes the functions of these splits the candidates."""
        for _, pair in (placed for split in splits for placed in self.pairs[split]):
            candidate = Candidate(pair.code, pair.url, pair.language, pair.family)
            self.codebase.setdefault(pair.url, candidate)

    def leave_out_unanswerable(self, *splits: str) -> None:
        """Leaves out pairs of these splits whose function is no candidate."""
        for split in splits:
            for place, pair in self.pairs[split]:
                if pair.url not in self.codebase:
                    self.problems.add("a query whose url has no candidate in the codebase", place)
            self.pairs[split] = [x for x in self.pairs[split] if x[1].url in self.codebase]

    def _repeated(self, split: str, url: str, texts: dict[str, str]) -> str | None:
        if split == "codebase":
            return "a url that an earlier candidate has" if url in self.codebase else None
        again = (split, url, texts["query"]) in self._seen
        return "the same url and query again" if again else None


def _text(row: dict, tokens: tuple[str, ...], names: tuple[str, ...]) -> str | None:
    """The first of the fields that is there, as text; None where none is."""
    for name in tokens:
        if isinstance(row.get(name), list) and row[name]:
            return " ".join(map(str, row[name])).strip()
    present = [row[name] for name in names if isinstance(row.get(name), str)]
    return next((text.strip() for text in present if text.strip()), "" if present else None)


def _unusable(row: dict, language: str, texts: dict[str, str | None]) -> str | None:
    """Why a row cannot be used, or None."""
    for name, text in texts.items():
        if text is None:
            return f"no {name} among its fields ({', '.join(map(str, row))})"
        if not text:
            return f"an empty {name}"
    if row.get("language", language) != language:
        return f"its language is {row['language']!r}, not {language!r}"
    return None
