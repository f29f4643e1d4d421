"""Reading and comparing run folders, and what a shared fixture's run logged."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

OF_THE_PROCESS = ("pairs_per_second", "compilations")
CACHE = "JAX_COMPILATION_CACHE_DIR"


def to_be_killed() -> dict[str, str]:
    """Variables of a process that a test kills: it must not tear the programs that tests share."""
    variables = {name: value for name, value in os.environ.items() if name != CACHE}
    return variables | {"USE_TORCH": "0"}  # transformers imports it for seconds


def metrics(folder: Path) -> list[dict]:
    """The lines of metrics.jsonl without times, and without what a process counts for itself."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(s).items() if k not in OF_THE_PROCESS} for s in lines]


def same_run(a: Path, b: Path) -> bool:
    """Whether two runs ended with the same bits, card or none, and every metric but times."""

    def content(folder: Path, name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes().replace(str(folder).encode(), b"") if path.exists() else None

    names = ("results.json", "model/model.safetensors", "model/README.md")
    files = [[content(folder, name) for name in names] for folder in (a, b)]
    assert None not in files[0][:2]
    return files[0] == files[1] and metrics(a) == metrics(b)


@contextlib.contextmanager
def logged_lines() -> Iterator[list[str]]:
    """The messages that the package logs inside the block; `caplog` is of a single test."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("softnce_jax")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
