"""What metrics.jsonl has, as TensorBoard's events: a copy, made anew of it when a run resumes."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from softnce_jax.files import StrPath, discard_folder

__all__ = ["EventLog", "check_installed"]


def check_installed(log: str | None) -> None:
    """Raises ModuleNotFoundError where what `--log` names needs a package that is missing."""
    if log == "tensorboard":
        importlib.import_module("tensorboardX")


class EventLog:
    """Writes metrics as events, each under its name in metrics.jsonl, at its step.

    Of a run that goes on from a checkpoint, steps after it are in the events of the killed process,
    and perhaps only in part. So events are not continued: the folder is made anew.

    Args:
      folder: of the events; what it held is removed.
      lines: of metrics.jsonl so far.
    """

    def __init__(self, folder: StrPath, lines: Iterable[Mapping[str, Any]]):
        from tensorboardX import SummaryWriter

        discard_folder(folder)
        self._writer = SummaryWriter(str(folder))
        for line in lines:
            self.log(line)

    def log(self, line: Mapping[str, Any]) -> None:
        """Adds a line of metrics.jsonl; what is undefined, null there, is no event."""
        for name, value in line.items():
            if name != "step" and value is not None and math.isfinite(value):
                self._writer.add_scalar(name, value, line["step"])

    def close(self) -> None:
        """Writes what is still in memory."""
        self._writer.close()
