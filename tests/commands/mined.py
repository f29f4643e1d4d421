"""Files of hard negatives mined from 20 tasks."""

from __future__ import annotations

import json
from pathlib import Path

from softnce_jax.commands.mine_negatives import Flags, mine_negatives
from tests.data.folders import write_folder
from tests.train.corpus import write_tasks


def write_repeated_tasks(folder: Path) -> Path:
    """20 tasks; of the 24 training pairs one has the query and two have the code of another's."""
    write_tasks(folder)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    rows[9]["query"] = rows[0]["query"]
    for row in rows[12:14]:
        row["code"] = rows[2]["code"]
    return write_folder(folder, train=rows)


def mined(tasks, out=None, **given) -> tuple[Path, dict, list[dict]]:
    """The file mined with these flags: its path, its first line and the others."""
    settings = {"model": "bm25", "lang": "python", "data": str(tasks)} | given
    path = mine_negatives(Flags(**settings, out=None if out is None else str(out)))
    about, *lines = map(json.loads, path.read_text("utf-8").splitlines())
    return path, about, lines
