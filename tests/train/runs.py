"""Reading and comparing run folders."""

from __future__ import annotations

import json
from pathlib import Path

OF_THE_PROCESS = ("pairs_per_second", "compilations")


def metrics(folder: Path) -> list[dict]:
    """The lines of metrics.jsonl without times, and without what a process counts for itself."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(s).items() if k not in OF_THE_PROCESS} for s in lines]


def same_run(a: Path, b: Path) -> bool:
    """Whether two runs ended with the same bits, and every metric but times."""
    names = ("results.json", "model/model.safetensors")
    files = [
        [(f / name).read_bytes().replace(str(f).encode(), b"") for name in names] for f in (a, b)
    ]
    return files[0] == files[1] and metrics(a) == metrics(b)
