"""The source files of a tree, and why the others are left out.

Links are never followed: what they lead to is in the tree and is found there, or is not part of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.pattern import Pattern
from pathspec.patterns.gitignore import GitIgnorePatternError

from softnce_jax.data.mining.languages import RULES
from softnce_jax.data.mining.report import Counts
from softnce_jax.languages import LANGUAGES

__all__ = ["SourceFile", "read_source", "source_files"]

LARGEST = 1_000_000  # bytes; larger files are tables and bundles
LONGEST_LINES = 200  # mean bytes of a line; files with longer ones are minified
HEADER = 2_000  # bytes at the start in which a file says that it is generated
LARGEST_GITIGNORE = 1_000_000  # bytes

VENDORED = re.compile(
    r"vendor|vendored|_vendor|node_modules|bower_components|jspm_packages|third[-_]?party|3rdparty"
    r"|externals?|deps|Godeps|site-packages|dist-packages|dist|venv|virtualenv|__pycache__",
    re.IGNORECASE,
)
TEST_WORDS = {"test", "tests", "testdata", "testsuite", "fixture", "fixtures"}
GENERATED_NAME = re.compile(
    r".*([.-]min|[.-]bundle|\.pb|_pb2|_pb2_grpc|\.pb\.gw|[._]generated|[._]gen|\.designer)|"
    r"zz_generated.*|bindata|(parser|lexer)_?tab(le)?s?"
)
GENERATED_HEADER = re.compile(
    rb"@generated\b|code generated .{0,80}do not edit|^\W*do not (edit|modify)\b"
    rb"|^\W*((this|the)( \w+){0,3} )?((is|was|has been) )?"
    rb"(auto|automatically|mechanically|machine)[ -]?generated\b"
    rb"|^\W*(this (file|code|class|parser) (is|was|has been) )?generated (by|from|with|using)\b",
    re.IGNORECASE | re.MULTILINE,
)
# Patterns with more stars between two slashes could keep a regular expression busy for hours.
MANY_STARS = re.compile(r"(?:\*[^/]*){4}")

Ignored = tuple[tuple[str, GitIgnoreSpec], ...]  # the folders with a .gitignore, outermost first


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: its path, its name in the tree, and its repository's name in the tree."""

    path: str
    name: str
    repository: str


def source_files(root: str, language: str, counts: Counts) -> Iterator[SourceFile]:
    """Yields a language's files in a tree by name, without those that their names exclude.

    Args:
      root: an absolute path.
      language: a key of LANGUAGES.
      counts: takes the files and folders left out, by reason.

    Yields:
      SourceFiles. A repository is the innermost folder with `.git`, else the folder below `root`.
    """
    endings = LANGUAGES[language].endings
    # A stack of folders, because trees may be nested deeper than Python recurses.
    folders: list[tuple[str, Ignored, str | None]] = [(root, _ignored_above(root), None)]
    while folders:
        folder, ignored, repository = folders.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError:
            counts.drop("folders", "unreadable", _name_in(root, folder))
            continue
        counts.keep("folders")
        ignored = _add_gitignore(ignored, folder)
        if folder != root and any(entry.name == ".git" for entry in entries):
            repository = _name_in(root, folder)
        subfolders = []
        for entry in entries:
            name = _name_in(root, entry.path)
            is_folder = os.path.isdir(entry.path)
            if not is_folder and not entry.name.endswith(endings):
                continue
            kind = "folders" if is_folder else "files"
            if reason := _reason_to_exclude(entry, language, ignored, is_folder=is_folder):
                counts.drop(kind, reason, name)
            elif is_folder:
                inner = repository or (name if folder == root else None)
                subfolders.append((entry.path, ignored, inner))
            else:
                yield SourceFile(entry.path, name, repository or ".")
        folders.extend(reversed(subfolders))


def _name_in(root: str, path: str) -> str:
    """A path relative to the root, with `/`, in characters that UTF-8 can encode."""
    name = os.path.relpath(path, root).replace(os.sep, "/")
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _reason_to_exclude(
    entry: os.DirEntry, language: str, ignored: Ignored, *, is_folder: bool
) -> str | None:
    """Why a file or folder is left out by its name or type, None if it is not."""
    stem = entry.name if is_folder else entry.name.rsplit(".", 1)[0]
    if entry.is_symlink():
        return "a link"
    if not is_folder and not entry.is_file(follow_symlinks=False):
        return "no regular file"
    if entry.name.startswith("."):
        return "hidden"
    if is_folder and (VENDORED.fullmatch(stem) or os.path.exists(f"{entry.path}/pyvenv.cfg")):
        return "vendored"
    if _is_ignored(ignored, entry.path, is_folder=is_folder):
        return "ignored by .gitignore"
    if _is_test(stem, is_folder=is_folder) or RULES[language].tests.fullmatch(stem):
        return "a test"
    if not is_folder and GENERATED_NAME.fullmatch(stem):
        return "generated"
    return None


def _is_test(stem: str, *, is_folder: bool) -> bool:
    """Whether a name is that of tests: any word of a folder's, a file's first or last word.

    Example:
      >>> names = ["test_sort", "sort_test", "SortTest", "sort.test", "latest", "KeySpec"]
      >>> [name for name in names if _is_test(name, is_folder=False)]
      ['test_sort', 'sort_test', 'SortTest', 'sort.test']
    """
    if is_folder:
        return any(word in TEST_WORDS for word in re.split(r"[\W_]+", stem.lower()))
    return bool(
        re.match(r"tests?([\W_]|$)", stem) or re.search(r"([\W_]tests?|[a-z\d]Tests?)$", stem)
    )


def read_source(source: SourceFile) -> tuple[bytes, None] | tuple[None, str]:
    """The bytes of a file, UTF-8 with lines that end in LF, or why it is left out."""
    try:
        if os.path.getsize(source.path) > LARGEST:
            return None, f"larger than {LARGEST / 1e6:.0f} MB"
        with open(source.path, "rb") as file:
            data = file.read(LARGEST)
    except OSError:
        return None, "unreadable"
    if not data.strip():
        return None, "empty"
    if b"\0" in data:
        return None, "binary"
    try:
        data.decode()
    except UnicodeDecodeError:
        return None, "not UTF-8"
    if GENERATED_HEADER.search(data[:HEADER]):
        return None, "generated"
    if len(data) > LONGEST_LINES * (data.count(b"\n") + 1):
        return None, f"lines of more than {LONGEST_LINES} bytes in the mean"
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n"), None


def _ignored_above(root: str) -> Ignored:
    """What the folders above `root` ignore, up to their repository; nothing if that is `root`."""
    parents = [str(parent) for parent in Path(root).parents]
    top = next((n for n, path in enumerate(parents) if os.path.exists(f"{path}/.git")), None)
    if top is None or os.path.exists(f"{root}/.git"):
        return ()
    ignored: Ignored = ()
    for folder in reversed(parents[: top + 1]):
        ignored = _add_gitignore(ignored, folder)
    return () if _is_ignored(ignored, root, is_folder=True) else ignored


def _add_gitignore(ignored: Ignored, folder: str) -> Ignored:
    """What is ignored inside a folder: by the folders around it and by its own .gitignore."""
    spec = _read_gitignore(os.path.join(folder, ".gitignore"))
    return (*ignored, (folder, spec)) if spec else ignored


def _is_ignored(ignored: Ignored, path: str, *, is_folder: bool) -> bool:
    """Whether the innermost .gitignore that matches a path excludes it."""
    for folder, spec in reversed(ignored):
        name = os.path.relpath(path, folder) + "/" * is_folder
        if (include := spec.check_file(name).include) is not None:
            return include  # in a .gitignore, to include is to ignore
    return False


def _read_gitignore(path: str) -> GitIgnoreSpec | None:
    """The patterns of a .gitignore, malformed ones left out; None if it is no readable file."""
    try:
        if (
            os.path.islink(path)
            or not os.path.isfile(path)
            or os.path.getsize(path) > LARGEST_GITIGNORE
        ):
            return None
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    patterns = (_gitignore_pattern(line) for line in lines)
    return GitIgnoreSpec([pattern for pattern in patterns if pattern is not None])


def _gitignore_pattern(line: str) -> Pattern | None:
    if not line.strip() or line.startswith("#") or MANY_STARS.search(line.replace("**", "")):
        return None
    try:
        return GitIgnoreSpec.from_lines([line]).patterns[0]
    except GitIgnorePatternError:
        return None
