"""A run is a folder: configuration, metrics.jsonl, checkpoints/, model/, queries, results.

Where several processes train, all of them read it and process 0 writes.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import filelock

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.errors import InputError, first_line
from softnce_jax.files import (
    StrPath,
    append_line,
    changed_file,
    json_text,
    lock,
    read_json,
    to_path,
    write_json,
    write_text,
)
from softnce_jax.pretrained.export import export_model
from softnce_jax.retrieval.per_query import QueryScores, write_queries
from softnce_jax.train import distributed
from softnce_jax.train.config import differences
from softnce_jax.train.tensorboard import EventLog
from softnce_jax.typed import Factor, Metric, Size, check_type

METRICS_FILE = "metrics.jsonl"
RESULTS_FILE = "results.json"
LOCK = ".lock"
log = logging.getLogger(__name__)


def _is_of_others(path: Path) -> bool:
    """Whether a file is none of ours: a kill may leave config.json under a temporary name."""
    return not path.name.startswith(".config.json.") and path.name != LOCK


class _Metrics(TypedDict):
    """A line of metrics.jsonl, as far as it is read."""

    step: Size
    clipped: NotRequired[Size]
    loss: NotRequired[Factor | None]
    valid_mrr: NotRequired[Metric | None]


def has_results(folder: StrPath) -> bool:
    """Whether a run is complete."""
    return (to_path(folder) / RESULTS_FILE).exists()


def read_metrics(folder: Path) -> list[dict]:
    """The lines of a run's metrics.jsonl.

    Raises:
      InputError: no such file, or a line that is none; it names file and line.
    """
    return list(_metric_lines(folder / METRICS_FILE))


def _metric_lines(path: Path, *, whole_only: bool = False) -> Iterator[dict]:
    """Yields the values of each line; `whole_only` leaves out what a kill left half-written."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    last = lines.pop()  # "" unless a kill cut it
    for number, line in enumerate([*lines, last] if last and not whole_only else lines, 1):
        try:
            values = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{number}: not JSON ({first_line(error)})") from None
        yield check_type(values, _Metrics, f"{path}:{number}")


class RunFolder:
    """The files of one run. Writes nothing until `start`.

    Args:
      folder: of the run.
      config: what makes two runs the same, as of `fit.identify`.

    Raises:
      InputError: the folder holds another configuration's run, or something else.
    """

    def __init__(self, folder: str | Path, config: dict[str, Any]):
        self.folder = to_path(folder)
        self.checkpoints = self.folder / "checkpoints"
        self.model = self.folder / "model"
        self._metrics = self.folder / METRICS_FILE
        self._results = self.folder / RESULTS_FILE
        self._events: EventLog | None = None
        self.config, self._stored = config, self.folder / "config.json"
        if self._stored.exists():
            changed = differences(read_json(self._stored, dict[str, Any]), config)
            if changed:
                raise InputError(
                    f"{self.folder} holds a run of another configuration "
                    f"({'; '.join(changed)}): choose another --out or remove it"
                )
        elif self.folder.exists() and any(map(_is_of_others, self.folder.iterdir())):
            raise InputError(f"{self.folder} is not empty and holds no run: choose another --out")

    def whole_results(self) -> dict[str, Any] | None:
        """The results of a complete run whose model is as it was exported, else None.

        Raises:
          InputError: the model is not, and there is no checkpoint of which to make it again.
        """
        if (results := self.results()) is None:
            return None
        changed = changed_file(self.model) if self.model.is_dir() else self.model
        if changed is None:
            return results
        if not any(self.checkpoints.glob("[0-9]*")):
            raise InputError(
                f"{changed}: missing or changed since the run ended, and no checkpoint is left to "
                f"make it again: remove {self.folder} to train anew"
            )
        log.info(f"{changed}: missing or changed since the run ended: made again of a checkpoint")
        return None

    def agree(self) -> None:
        """Raises InputError unless all processes are here for the same run and find it as far."""
        content = f"the content of {self.folder}"
        distributed.agree(lambda: self.config | {content: [self._stored.exists(), self.results()]})

    def start(self) -> None:
        """Makes the folder, once nothing stands in the run's way."""
        if distributed.is_first():
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._stored.exists():
                write_json(self._stored, self.config)
        distributed.barrier("the run folder")
        if distributed.any_process(not self._stored.exists()):
            raise InputError(
                f"{self.folder} is not one folder for all processes: share it, or --out"
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second program from training into the folder.

        Raises:
          InputError: this is the second one.
        """
        if not distributed.is_first():
            yield
            return
        held = lock(self.folder / LOCK, timeout=0)
        try:
            held.acquire()
        except filelock.Timeout:
            raise InputError(
                f"{self.folder}: another program trains in it now; wait, or choose another --out"
            ) from None
        try:
            yield
        finally:
            held.release()

    def results(self) -> dict[str, Any] | None:
        """The results, once the run is complete."""
        return read_json(self._results, dict[str, Any]) if self._results.exists() else None

    def finish(self, results: dict[str, Any], queries: QueryScores | None = None) -> None:
        """Writes every query's metrics, if any, then the results: the run is complete."""
        if distributed.is_first():
            if queries is not None:
                write_queries(self.folder, queries)
            write_json(self._results, results)

    def export(self, encoder: Encoder, params: Any) -> None:
        """Writes the model."""
        if distributed.is_first():
            export_model(self.model, encoder, params)

    def write_card(self, card: str) -> None:
        """Writes README.md of the exported model, which SHA256SUMS leaves out: people edit it."""
        if distributed.is_first():
            write_text(self.model / "README.md", card)

    def log(self, line: dict[str, Any]) -> None:
        """Appends a line to metrics.jsonl; what is undefined, as the mean of nothing, is null."""
        if distributed.is_first():
            append_line(self._metrics, json_text(line))
        if self._events is not None:
            self._events.log(line)

    @contextlib.contextmanager
    def events(self, log: str | None) -> Iterator[None]:
        """Inside, what metrics.jsonl has and gets is in the folder `tensorboard`, too.

        Args:
          log: "tensorboard", or None: then nothing is done.
        """
        if log is None or not distributed.is_first():
            yield
            return
        self._events = EventLog(self.folder / "tensorboard", self.metrics())
        try:
            yield
        finally:
            self._events.close()
            self._events = None

    def metrics(self) -> list[dict]:
        """The lines of metrics.jsonl, none where there is no such file. Raises InputError."""
        return read_metrics(self.folder) if self._metrics.exists() else []

    def cut_metrics(self, step: int) -> None:
        """Drops the lines after a step, and a line that a kill left half-written."""
        if not distributed.is_first() or not self._metrics.exists():
            return
        lines = [
            json_text(values)
            for values in _metric_lines(self._metrics, whole_only=True)
            if values["step"] <= step
        ]
        write_text(self._metrics, "".join(f"{line}\n" for line in lines))
