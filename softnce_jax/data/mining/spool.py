"""Pairs on disk while their splits are not known yet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from softnce_jax.data.mining import dedup
from softnce_jax.data.mining.reading import Row


@dataclass
class Spool:
    """Pairs on disk, in order; of each, its file or folder in memory."""

    folder: Path
    homes: list[str] = field(default_factory=list)

    def fill(self, rows: Iterable[Row]) -> None:
        """Appends rows to the spool's two files."""
        with open(self.folder / "rows", "w") as lines, open(self.folder / "bands", "wb") as bands:
            for row in rows:
                lines.write(f"{row.line}\n")
                bands.write(row.signature)
                self.homes.append(row.home)

    def signatures(self) -> np.ndarray:
        """uint32, (pairs, BANDS * ROWS), mapped."""
        shape = (len(self.homes), dedup.BANDS * dedup.ROWS)
        if not self.homes:
            return np.zeros(shape, np.uint32)
        return np.memmap(self.folder / "bands", np.uint32, "r", shape=shape)

    def lines(self) -> Iterator[str]:
        """The rows' JSON."""
        with open(self.folder / "rows") as lines:
            yield from lines


def write_splits(folder: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Writes each row to its split, and the candidates: the functions of valid and test."""
    names = ("train", "valid", "test", "codebase")
    opened = {name: open(folder / f"{name}.jsonl", "w", encoding="utf-8") for name in names}  # noqa: SIM115
    try:
        for line, name in rows:
            opened[name].write(line)
            if name != "train":
                row = json.loads(line)
                del row["docstring"]
                opened["codebase"].write(f"{json.dumps(row)}\n")
    finally:
        for file in opened.values():
            file.close()
