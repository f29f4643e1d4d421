"""Work spread over processes, with results in the order of the work."""

from __future__ import annotations

import functools
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

__all__ = ["imap"]

CHUNKS_AHEAD = 4  # per process: keeps all of them busy while the reader works


def imap(function: Callable[[Any], Any], chunks: Sequence[Any], processes: int) -> Iterator[Any]:
    """Yields a function's result for each chunk, in order.

    Args:
      function: picklable, as its chunks and results are.
      chunks: of work.
      processes: that work at once; 1 works in this process.

    Raises:
      concurrent.futures.process.BrokenProcessPool: a process was killed.
    """
    if processes == 1:
        yield from map(function, chunks)
        return
    # A fork of a process that has threads, as one with jax has, may hang: spawn instead.
    context = multiprocessing.get_context("spawn")
    # Ctrl-C reaches all processes. This one alone answers it, and then ends the others.
    ignore_interrupts = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(processes, context, initializer=ignore_interrupts) as executor:
        yield from _in_order(executor, function, chunks, ahead=CHUNKS_AHEAD * processes)


def _in_order(
    executor: Executor, function: Callable[[Any], Any], chunks: Sequence[Any], *, ahead: int
) -> Iterator[Any]:
    """Yields results in order; at most `ahead` chunks are submitted before theirs are read."""
    pending: deque = deque()
    try:
        for chunk in chunks:
            pending.append(executor.submit(function, chunk))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
