"""Reads a corpus from a folder or file of the user's."""

from __future__ import annotations

import hashlib
from pathlib import Path

from softnce_jax.data.corpus import Candidate, Corpus, Pair
from softnce_jax.data.formats import find_source
from softnce_jax.data.problems import Problems

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
    rows = _Rows(language, Problems(strict=strict), named=source.has_codebase)
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

    def __init__(self, language: str, problems: Problems, *, named: bool):
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
