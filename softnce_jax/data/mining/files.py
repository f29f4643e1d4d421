"""The source files of a tree, and why the others are left out.

Links are never followed: what they lead to is in the tree and found there, or is not part of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from softnce_jax.data.mining.languages import Language
from softnce_jax.data.mining.report import Counts

LARGEST = 1_000_000  # bytes; larger files are tables and bundles
LINE = 200  # mean bytes of a line, from which a file is minified
HEADER = 2_000  # bytes in which a file says that it is generated

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


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be read: where it is, what it is called in the tree, and its repository."""

    path: str
    name: str
    repository: str


def source_files(root: str, language: Language, counts: Counts) -> Iterator[Source]:
    """The files of a language in a tree, in order of their names, without any that names exclude.

    Args:
      root: an absolute path.
      language: whose endings are looked for.
      counts: takes the files and folders left out, by reason.

    Yields:
      Sources. A repository is the innermost folder with `.git`, else the folder below `root`.
    """
    folders: list[tuple[str, Rules, str | None]] = [(root, outside(root), None)]
    while folders:
        folder, rules, repository = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            counts.drop("folders", "unreadable", name_in(root, folder))
            continue
        counts.keep("folders")
        rules = with_folder(rules, folder)
        if folder != root and any(entry.name == ".git" for entry in entries):
            repository = name_in(root, folder)
        inner = []
        for entry in entries:
            name = name_in(root, entry.path)
            is_folder = os.path.isdir(entry.path)
            if not is_folder and not entry.name.endswith(language.endings):
                continue
            kind = "folders" if is_folder else "files"
            if reason := excluded(entry, language, rules, is_folder=is_folder):
                counts.drop(kind, reason, name)
            elif is_folder:
                inner.append((entry.path, rules, repository or (None if folder != root else name)))
            else:
                yield Source(entry.path, name, repository or ".")
        folders.extend(reversed(inner))


def excluded(
    entry: os.DirEntry, language: Language, rules: Rules, *, is_folder: bool
) -> str | None:
    """Why a file or folder is left out for what it is called or what it is, or None."""
    stem = entry.name if is_folder else entry.name.rsplit(".", 1)[0]
    if entry.is_symlink():
        return "a link"
    if not is_folder and not entry.is_file(follow_symlinks=False):
        return "no regular file"
    if entry.name.startswith("."):
        return "hidden"
    if is_folder and (VENDORED.fullmatch(stem) or os.path.exists(f"{entry.path}/pyvenv.cfg")):
        return "vendored"
    if is_ignored(rules, entry.path, is_folder=is_folder):
        return "ignored by .gitignore"
    if is_test(stem, is_folder=is_folder) or language.tests.fullmatch(stem):
        return "a test"
    if not is_folder and GENERATED_NAME.fullmatch(stem):
        return "generated"
    return None


def is_test(stem: str, *, is_folder: bool) -> bool:
    """Whether a name is that of tests: a folder one of whose words says so, a file's first or last.

    Example:
      >>> names = ["test_sort", "sort_test", "SortTest", "sort.test", "latest", "KeySpec"]
      >>> [name for name in names if is_test(name, is_folder=False)]
      ['test_sort', 'sort_test', 'SortTest', 'sort.test']
    """
    if is_folder:
        return any(word in TEST_WORDS for word in re.split(r"[\W_]+", stem.lower()))
    return bool(
        re.match(r"tests?([\W_]|$)", stem) or re.search(r"([\W_]tests?|[a-z\d]Tests?)$", stem)
    )


def read(source: Source) -> tuple[bytes, None] | tuple[None, str]:
    """The bytes of a file, UTF-8 with lines that end in LF, or why it is left out."""
    try:
        size = os.path.getsize(source.path)
        if size > LARGEST:
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
    if len(data) > LINE * (data.count(b"\n") + 1):
        return None, f"lines of more than {LINE} bytes in the mean"
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n"), None


def name_in(root: str, path: str) -> str:
    """A path below the root, with `/`, in characters that UTF-8 has."""
    name = os.path.relpath(path, root).replace(os.sep, "/")
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


LARGEST_GITIGNORE = 1_000_000  # bytes of a .gitignore
# More stars between two slashes could keep a regular expression busy for hours.
STARS = re.compile(r"(?:\*[^/]*){4}")

Rules = tuple[tuple[str, GitIgnoreSpec], ...]  # folders with a .gitignore, outermost first


def with_folder(rules: Rules, folder: str) -> Rules:
    """The rules that hold inside a folder: those from outside and its own."""
    spec = read_gitignore(os.path.join(folder, ".gitignore"))
    return (*rules, (folder, spec)) if spec else rules


def outside(root: str) -> Rules:
    """The rules of the folders around `root`, up to the repository's; none that ignore `root`."""
    parents = [str(parent) for parent in Path(root).parents]
    top = next((n for n, path in enumerate(parents) if os.path.exists(f"{path}/.git")), None)
    if top is None or os.path.exists(f"{root}/.git"):
        return ()
    rules: Rules = ()
    for folder in reversed(parents[: top + 1]):
        rules = with_folder(rules, folder)
    return () if is_ignored(rules, root, is_folder=True) else rules


def is_ignored(rules: Rules, path: str, *, is_folder: bool = False) -> bool:
    """Whether the innermost rule that speaks of a path leaves it out."""
    for folder, spec in reversed(rules):
        inner = os.path.relpath(path, folder) + "/" * is_folder
        if (include := spec.check_file(inner).include) is not None:
            return include
    return False


def read_gitignore(path: str) -> GitIgnoreSpec | None:
    """The rules of a file; lines that are no rules are none. Links are not followed."""
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
    return GitIgnoreSpec([p for line in lines if (p := pattern(line)) is not None])


def pattern(line: str):
    """A line's pattern, or None."""
    if not line.strip() or line.startswith("#") or STARS.search(line.replace("**", "")):
        return None
    try:
        return GitIgnoreSpec.from_lines([line]).patterns[0]
    except GitIgnorePatternError:
        return None
