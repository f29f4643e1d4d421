"""Writes folders of JSONL for tests."""

from __future__ import annotations

import json
from pathlib import Path


def write_folder(folder: Path, **splits: list[dict]) -> Path:
    """Writes each split's rows to `<split>.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder
