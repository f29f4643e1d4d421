"""Command lines run one after the other in one fresh process, which imports jax only once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# Packages that are to be missing cannot be found, as if they were not installed.
PROGRAM = """
import contextlib, io, json, sys

missing = sys.argv[1].split(",")


class Finder:
    def __init__(self, real):
        self.real = real

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in missing:
            return self.real.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.real, name)


sys.meta_path[:] = map(Finder, sys.meta_path)
from softnce_jax.cli import main

for arguments in json.loads(sys.argv[2]):
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as exit:
            status = exit.code
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""


class Shown(NamedTuple):
    """What a command line ended with."""

    status: int
    out: str
    err: str


def lines(*arguments: list[str], cwd: Path) -> list[Shown]:
    """Runs `softnce` with each list of arguments, all in one process."""
    return lines_without("", *arguments, cwd=cwd)


def lines_without(packages: str, *arguments: list[str], cwd: Path) -> list[Shown]:
    """As `lines`, where some packages, separated by commas, are not installed."""
    command = [sys.executable, "-c", PROGRAM, packages, json.dumps(arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [Shown(*json.loads(line)) for line in done.stdout.splitlines()]
