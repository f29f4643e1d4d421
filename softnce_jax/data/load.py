"""Loads the corpora that `--data` and `--lang` name."""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path

from softnce_jax.data.code_search_net.published import ABOUT, VERSION
from softnce_jax.data.corpus import Candidate, Corpus, Pair, RowErrors
from softnce_jax.data.formats import find_source
from softnce_jax.data.rows import (
    Fields,
    UnusableRow,
    code_of,
    name_of,
    query_of,
    shown_names,
    source_of,
    url_of,
)
from softnce_jax.data.sample import load_sample
from softnce_jax.errors import InputError
from softnce_jax.files import read_json, to_path
from softnce_jax.languages import LANGUAGES

__all__ = ["data_folder", "load_corpora", "prepared_folder", "read_corpus"]


def data_folder() -> Path:
    """The folder of prepared data and caches: $SOFTNCE_DATA, else ~/.cache/softnce_jax."""
    return to_path(os.environ.get("SOFTNCE_DATA", "~/.cache/softnce_jax"))


def load_corpora(data: str, lang: str, *, strict: bool = False) -> tuple[list[Corpus], list[str]]:
    """Loads the corpora that the flags `--data` and `--lang` name.

    Args:
      data: `sample`; a folder or file (see `read_corpus`); or `auto`, CodeSearchNet if it is in
        `data_folder()`, prepared or as files, else the sample.
      lang: a key of LANGUAGES, or `all`.
      strict: unusable rows are errors.

    Returns:
      A corpus for each language, and lines to tell the user: the choice made, the rows skipped.

    Raises:
      InputError: an unknown language, a missing folder, an unusable file.
    """
    if lang != "all" and lang not in LANGUAGES:
        raise InputError(f"unknown language {lang!r}: --lang takes {', '.join(LANGUAGES)} or all")
    languages = tuple(LANGUAGES) if lang == "all" else (lang,)
    notes = []
    if data == "auto":
        real = data_folder() / "code_search_net"
        if missing := [language for language in languages if not _has_data(real / language)]:
            notes.append(
                f"no CodeSearchNet ({', '.join(missing)}) in {real}: using the embedded sample (to "
                f"have it, python experiments/prepare.py --lang {lang}; to train on your own data, "
                f"--data FOLDER)"
            )
        data = "sample" if missing else str(real)
    if data == "sample":
        return [load_sample(language) for language in languages], notes
    corpora = [_read(data, language, strict=strict) for language in languages]
    notes += [
        f"{c.language}: {line}" for c in corpora for line in (*c.notes, *c.row_errors.lines())
    ]
    return corpora, notes


def _has_data(folder: Path) -> bool:
    """Whether a folder holds more than what an interrupted `prepare` left."""
    return folder.is_dir() and any(
        not entry.name.startswith("incomplete.") for entry in folder.iterdir()
    )


def _read(data: str, language: str, *, strict: bool) -> Corpus:
    """The corpus of a language in a folder, prepared or in any other format."""
    if (folder := prepared_folder(to_path(data), language)) is None:
        return read_corpus(data, language, strict=strict)
    # Imported here, because TFDS is slow to import and most data are not prepared with it.
    from softnce_jax.data.code_search_net.prepared import read_prepared

    return read_prepared(folder, language)


def prepared_folder(root: Path, language: str) -> Path | None:
    """The folder of a language's data that `prepare` wrote below `root`, None if there is none.

    Raises:
      InputError: only another version of the program wrote there.
    """
    folder = root / language / VERSION
    if (folder / ABOUT).exists():
        return folder
    others = [path.parent for path in sorted((root / language).glob(f"[0-9]*.*.*/{ABOUT}"))]
    if others:
        raise InputError(
            f"{others[-1]}: version {others[-1].name} of the prepared data, not {VERSION}, which "
            f"has the functions as they were written: prepare again, {_prepare_command(others[-1])}"
        )
    return None


def _prepare_command(folder: Path) -> str:
    """The command that prepares again what lies in the folder of another version."""
    language, data = folder.parent.name, folder.parents[2].resolve()
    where = "" if data == data_folder().resolve() else f"SOFTNCE_DATA={shlex.quote(str(data))} "
    about = read_json(folder / ABOUT)
    rules = isinstance(about, dict) and about.get("select") == "rules"
    return f"{where}python experiments/prepare.py --lang {language}" + " --select rules" * rules


def read_corpus(path: str | Path, language: str, *, strict: bool = False) -> Corpus:
    """Reads one language's pairs and candidates, in any of the formats of docs/data.md.

    A row has a url, a query (tokens joined by spaces, else text), code (likewise) and perhaps the
    function as it was written and a family. The correct candidate of a query is the one with the
    same url. If the data have no codebase, the functions of valid and test are the candidates, and
    a row without a url is named by its code.

    Args:
      path: a folder, perhaps with a subfolder of the language's name, or a file.
      language: a key of LANGUAGES.
      strict: raise at the first unusable row instead of counting it.

    Returns:
      The corpus, with the rows that were skipped in `row_errors`.

    Raises:
      InputError: nothing there that is known, or (strict) an unusable row, by file and line.
    """
    root = to_path(path)
    if (root / language).is_dir():
        root = root / language
    source = find_source(root)
    rows = _Rows(language, RowErrors(strict=strict), has_codebase=source.has_codebase)
    for split, location, row in source.rows(rows.row_errors):
        rows.add(split, location, row)
    notes = list(source.notes)
    if not source.has_codebase:
        rows.use_functions_as_codebase("valid", "test")
        notes.append(f"no codebase: the {len(rows.codebase)} functions of valid and test stand in")
    rows.leave_out_unanswerable("valid", "test")
    pairs = {split: [pair for _, pair in located] for split, located in rows.pairs.items()}
    codebase = list(rows.codebase.values())
    return Corpus(str(root), language, **pairs, codebase=codebase,
                  row_errors=rows.row_errors, notes=tuple(notes))  # fmt: skip


class _Rows:
    """The usable rows so far; the others are counted in `row_errors`."""

    def __init__(self, language: str, row_errors: RowErrors, *, has_codebase: bool):
        self.language, self.row_errors, self.has_codebase = language, row_errors, has_codebase
        # Pairs keep their locations until it is known whether they can be answered.
        self.pairs: dict[str, list[tuple[str, Pair]]] = {"train": [], "valid": [], "test": []}
        self.codebase: dict[str, Candidate] = {}
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, split: str, location: str, row: Fields) -> None:
        try:
            self._add(split, location, row)
        except UnusableRow as error:
            self.row_errors.add(f"{error}", location)

    def _add(self, split: str, location: str, row: Fields) -> None:
        is_pair = split != "codebase"
        code, query, url = code_of(row), query_of(row) if is_pair else None, url_of(row)
        if url is None and not self.has_codebase and code:
            url = f"code:{hashlib.sha256(code.encode()).hexdigest()[:16]}"
        _check_texts(row, ({"query": query} if is_pair else {}) | {"code": code, "url": url})
        _check_language(row, self.language)
        family, source = name_of(row, "family"), source_of(row) or ""
        self._check_new(split, url, query)
        if is_pair:
            self._seen.add((split, url, query))
            pair = Pair(query, code, url, self.language, family, source)
            self.pairs[split].append((location, pair))
        else:
            self.codebase[url] = Candidate(code, url, self.language, family, source)

    def use_functions_as_codebase(self, *splits: str) -> None:
        """Makes the functions of these splits the candidates."""
        for split in splits:
            for _, p in self.pairs[split]:
                candidate = Candidate(p.code, p.url, p.language, p.family, p.source)
                self.codebase.setdefault(p.url, candidate)

    def leave_out_unanswerable(self, *splits: str) -> None:
        """Leaves out the pairs of these splits whose function is no candidate."""
        for split in splits:
            for location, pair in self.pairs[split]:
                if pair.url not in self.codebase:
                    reason = "a query whose url has no candidate in the codebase"
                    self.row_errors.add(reason, location)
            self.pairs[split] = [x for x in self.pairs[split] if x[1].url in self.codebase]

    def _check_new(self, split: str, url: str, query: str | None) -> None:
        if split == "codebase" and url in self.codebase:
            raise UnusableRow("a url that an earlier candidate has")
        if (split, url, query) in self._seen:
            raise UnusableRow("the same url and query again")


def _check_texts(row: Fields, texts: dict[str, str | None]) -> None:
    for name, text in texts.items():
        if text is None:
            raise UnusableRow(f"no {name} among its fields ({shown_names(row)})")
        if not text:
            raise UnusableRow(f"an empty {name}")


def _check_language(row: Fields, language: str) -> None:
    named = (name_of(row, "language") or language).lower()
    if named != language:
        raise UnusableRow(f"its language is {named[:40]!r}, not {language!r}")
