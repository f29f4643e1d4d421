"""SIGTERM and Ctrl-C ask a run to stop after the step at hand."""

from __future__ import annotations

import signal
import threading


class StopSignal:
    """While entered, the first signal is noted in `received`; a second one acts as ever.

    In a thread that is not the main one no signal can be had: the program that started the thread
    handles its signals as ever, and nothing is received.

    Example:
      >>> with StopSignal() as stop:
      ...     signal.raise_signal(signal.SIGTERM)
      ...     stop.received == signal.SIGTERM
      True
    """

    signals = (signal.SIGTERM, signal.SIGINT)
    latest: int | None = None  # of any StopSignal, for a sweep that would go on to its next run

    def __init__(self):
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._before = {number: signal.signal(number, self._receive) for number in self.signals}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _) -> None:
        self.received = StopSignal.latest = number
        self.__exit__()
