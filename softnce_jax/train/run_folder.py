"""A run is a folder: configuration, metrics.jsonl, checkpoints/, model/, queries, results.

Where several hosts train, all of them read it and the first one writes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.errors import InputError
from softnce_jax.pretrained.export import export_model
from softnce_jax.retrieval.per_query import Queries, write_queries
from softnce_jax.train import distributed
from softnce_jax.train.config import differences


def write_json(path: Path, value: Any) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_metrics(folder: Path) -> list[dict]:
    """The lines of a run's metrics.jsonl."""
    text = (folder / "metrics.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


class RunFolder:
    """The files of one run."""

    def __init__(self, folder: str | Path, config: dict):
        """Writes nothing yet. Raises InputError if another configuration's run is there."""
        self.folder = Path(folder)
        self.checkpoints = self.folder / "checkpoints"
        self.model = self.folder / "model"
        self._metrics = self.folder / "metrics.jsonl"
        self._results = self.folder / "results.json"
        self.config, self._stored = config, self.folder / "config.json"
        if self._stored.exists():
            changed = differences(json.loads(self._stored.read_text("utf-8")), config)
            if changed:
                raise InputError(
                    f"{self.folder} holds a run of another configuration "
                    f"({'; '.join(changed)}): choose another --out or remove it"
                )
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise InputError(f"{self.folder} is not empty and holds no run: choose another --out")

    def agree(self) -> None:
        """Raises InputError unless all hosts are here for the same run and find it as far."""
        found = f"what they find in {self.folder}"
        distributed.agree(lambda: self.config | {found: [self._stored.exists(), self.results()]})

    def start(self) -> None:
        """Makes the folder, once nothing stands in the run's way."""
        if distributed.is_first():
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._stored.exists():
                write_json(self._stored, self.config)
        distributed.wait("the run folder")
        if distributed.on_any(not self._stored.exists()):
            raise InputError(f"{self.folder} is not one folder for all hosts: share it, or --out")

    def results(self) -> dict | None:
        """The results, once the run is complete."""
        return json.loads(self._results.read_text("utf-8")) if self._results.exists() else None

    def finish(self, results: dict, queries: Queries | None = None) -> None:
        """Writes what every query got, if any, then the results: the run is complete."""
        if distributed.is_first():
            if queries is not None:
                write_queries(self.folder, queries)
            write_json(self._results, results)

    def export(self, encoder: Encoder, params: Any) -> None:
        """Writes the model."""
        if distributed.is_first():
            export_model(self.model, encoder, params)

    def log(self, line: dict) -> None:
        """Appends a line to metrics.jsonl."""
        if not distributed.is_first():
            return
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def cut_metrics(self, step: int) -> None:
        """Drops the lines after a step, and a line that a kill left half-written."""
        if not distributed.is_first() or not self._metrics.exists():
            return
        whole = self._metrics.read_text("utf-8").split("\n")[:-1]
        kept = [line for line in whole if json.loads(line)["step"] <= step]
        temporary = self._metrics.with_name(f".{self._metrics.name}.{os.getpid()}")
        temporary.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        os.replace(temporary, self._metrics)
