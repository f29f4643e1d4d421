"""Where a repository came from, read from its configuration as text."""

from __future__ import annotations

import re
from pathlib import Path


def remote_of(root: str) -> str | None:
    """The address of `origin`, without a user's name or password; None where none is known."""
    for folder in (Path(root), *Path(root).parents):
        if (folder / ".git").exists():
            try:
                text = (folder / ".git" / "config").read_text("utf-8", "replace")
            except OSError:
                return None
            return origin(text)
    return None


def origin(config: str) -> str | None:
    r"""The address of `origin` in the text of a configuration.

    Example:
      >>> origin('[remote "origin"]\n\turl = https://me:secret@host.org/a/b.git\n')
      'https://host.org/a/b.git'
    """
    section = re.search(r'^\[remote "origin"\]\n((?:[^\[\n].*\n?|\n)*)', config, re.MULTILINE)
    url = section and re.search(r"^\s*url\s*=\s*(\S+)", section[1], re.MULTILINE)
    return re.sub(r"^(\w+://)[^/@]*@", r"\1", url[1]) if url else None
