"""Reads a corpus."""

from __future__ import annotations

from pathlib import Path

from softnce_jax.data.pairs import Candidate, Corpus, Pair
from softnce_jax.data.problems import Problems
from softnce_jax.data.rows import read_rows
from softnce_jax.errors import InputError

# The spellings under which a split may lie in a folder; the first is the published one.
SPLIT_FILES = {"train": ("train",), "valid": ("valid", "dev"), "test": ("test",)}


def read_corpus(folder: str | Path, language: str, *, strict: bool = False) -> Corpus:
    """Reads `{train,valid,test,codebase}.jsonl` (or `.jsonl.gz`) from a folder.

    Where the folder has a subfolder of the language's name, that one is read. Each line is an
    object with `url`, a query (`docstring_tokens` joined by spaces, else `docstring` or `query`)
    and code (`code_tokens` joined, else `code` or `original_string`); `family` is optional. A
    query's true code is the codebase row with the same url. Absent splits are empty.

    Args:
      folder: the folder that was given.
      language: one of LANGUAGES.
      strict: raise at the first unusable row instead of counting it.

    Returns:
      The corpus, with what was skipped in `problems`.

    Raises:
      InputError: no such folder, no codebase, or (strict) an unusable row, by file and line.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; --data takes auto, sample or a folder of JSONL")
    if (root / language).is_dir():
        root = root / language
    problems = Problems(strict=strict)
    codebase = _codebase(_split_file(root, "codebase"), language, problems)
    urls = {candidate.url for candidate in codebase}
    splits = {
        split: _pairs(next(filter(None, (_find(root, n) for n in names)), None), language, problems)
        for split, names in SPLIT_FILES.items()
    }
    for split in ("valid", "test"):
        splits[split] = _answerable(splits[split], urls, problems)
    pairs = {split: [pair for pair, _ in placed] for split, placed in splits.items()}
    return Corpus(str(root), language, **pairs, codebase=codebase, problems=problems)


def _find(root: Path, name: str) -> Path | None:
    paths = [path for end in (".jsonl", ".jsonl.gz") if (path := root / f"{name}{end}").is_file()]
    if len(paths) > 1:
        raise InputError(f"{paths[0]} and {paths[1].name} both exist: remove one")
    return paths[0] if paths else None


def _split_file(root: Path, name: str) -> Path:
    path = _find(root, name)
    if path is None:
        raise InputError(f"{root}: neither {name}.jsonl nor {name}.jsonl.gz is there")
    return path


def _pairs(path: Path | None, language: str, problems: Problems) -> list[tuple[Pair, str]]:
    """The usable pairs of a file, each with its file and line."""
    if path is None:
        return []
    placed, seen = [], set()
    for place, row in read_rows(path, problems):
        query = _text(row, "docstring_tokens", "docstring", "query")
        code = _text(row, "code_tokens", "code", "original_string")
        reason = _unusable(row, language, query=query, code=code)
        if reason is None and (row["url"], query) in seen:
            reason = "the same url and query again"
        if reason is not None:
            problems.add(reason, place)
            continue
        seen.add((row["url"], query))
        placed.append((Pair(query, code, row["url"], language, row.get("family")), place))
    return placed


def _codebase(path: Path, language: str, problems: Problems) -> list[Candidate]:
    candidates: dict[str, Candidate] = {}
    for place, row in read_rows(path, problems):
        code = _text(row, "code_tokens", "code", "original_string")
        reason = _unusable(row, language, code=code)
        if reason is None and row["url"] in candidates:
            reason = "a url that an earlier candidate has"
        if reason is not None:
            problems.add(reason, place)
            continue
        candidates[row["url"]] = Candidate(code, row["url"], language, row.get("family"))
    return list(candidates.values())


def _answerable(
    placed: list[tuple[Pair, str]], urls: set[str], problems: Problems
) -> list[tuple[Pair, str]]:
    answerable = []
    for pair, place in placed:
        if pair.url in urls:
            answerable.append((pair, place))
        else:
            problems.add("a query whose url has no candidate in the codebase", place)
    return answerable


def _text(row: dict, tokens: str, *names: str) -> str | None:
    """The first of the fields that is there, as text; None where none is."""
    if isinstance(row.get(tokens), list) and row[tokens]:
        return " ".join(map(str, row[tokens])).strip()
    present = [row[name] for name in names if isinstance(row.get(name), str)]
    return next((text.strip() for text in present if text.strip()), "" if present else None)


def _unusable(row: dict, language: str, **texts: str | None) -> str | None:
    """Why a row cannot be used, or None."""
    if not isinstance(row.get("url"), str):
        return "no url"
    for name, text in texts.items():
        if text is None:
            return f"no {name}"
        if not text:
            return f"an empty {name}"
    if row.get("language", language) != language:
        return f"its language is {row['language']!r}, not {language!r}"
    return None
