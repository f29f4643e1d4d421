"""What .gitignore files leave out, read as text: git is never run in a tree that is not trusted.

A repository's own configuration may name programs (`core.fsmonitor`, filters, hooks), which even
`git ls-files` may start. So the rules are matched here; a file that is ignored though git tracks it
is left out, too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

LARGEST = 1_000_000  # bytes of a .gitignore
# More stars between two slashes could keep a regular expression busy for hours.
STARS = re.compile(r"(?:\*[^/]*){4}")

Rules = tuple[tuple[str, GitIgnoreSpec], ...]  # folders with a .gitignore, outermost first


def with_folder(rules: Rules, folder: str) -> Rules:
    """The rules that hold inside a folder: those from outside and its own."""
    spec = read(os.path.join(folder, ".gitignore"))
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


def read(path: str) -> GitIgnoreSpec | None:
    """The rules of a file; lines that are no rules are none. Links are not followed."""
    try:
        if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > LARGEST:
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
