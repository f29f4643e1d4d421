"""The source files of a tree, and why the others are left out.

Links are never followed: what they lead to is in the tree and is found there, or is not part of it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from softnce_jax.data.mining.generated import says_generated
from softnce_jax.data.mining.ignore import Patterns, parse_patterns
from softnce_jax.data.mining.languages import RULES
from softnce_jax.data.mining.report import Counts
from softnce_jax.languages import LANGUAGES

__all__ = ["SourceFile", "read_regular", "read_source", "source_files"]

LARGEST = 1_000_000  # bytes; larger files are tables and bundles
LONGEST_LINES = 200  # mean bytes of a line; files with longer ones are minified
LARGEST_GITIGNORE = 100_000  # bytes

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
Ignored = tuple[tuple[str, Patterns], ...]  # the folders with a .gitignore, outermost first


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


def read_regular(path: str, limit: int) -> bytes:
    """The first bytes of a file that is neither a link nor a pipe, a device or a folder.

    Raises:
      OSError: it is one of these, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path}: no regular file")
        return file.read(limit)


def read_source(source: SourceFile) -> tuple[bytes, None] | tuple[None, str]:
    """The bytes of a file, UTF-8 with lines that end in LF, or why it is left out."""
    try:
        data = read_regular(source.path, LARGEST + 1)
    except OSError:
        return None, "unreadable"
    if len(data) > LARGEST:
        return None, f"larger than {LARGEST / 1e6:.0f} MB"
    if not data.strip():
        return None, "empty"
    if b"\0" in data:
        return None, "binary"
    try:
        data.decode()
    except UnicodeDecodeError:
        return None, "not UTF-8"
    if says_generated(data):
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
    try:
        text = read_regular(os.path.join(folder, ".gitignore"), LARGEST_GITIGNORE + 1)
    except OSError:
        return ignored
    return ignored if len(text) > LARGEST_GITIGNORE else (*ignored, (folder, parse_patterns(text)))


def _is_ignored(ignored: Ignored, path: str, *, is_folder: bool) -> bool:
    """Whether the innermost .gitignore that matches a path excludes it."""
    for folder, patterns in reversed(ignored):
        name = os.fsencode(os.path.relpath(path, folder))
        if (excludes := patterns.excludes(name, is_folder=is_folder)) is not None:
            return excludes
    return False
