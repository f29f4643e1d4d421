"""Work spread over processes, with results in the order of the work."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["imap", "usable_cores"]

CHUNKS_AHEAD = 4  # per process: keeps all of them busy while the reader works


def usable_cores() -> int:
    """The cores that this process may use: a scheduler or a container may give it few of many.

    Example:
      >>> 1 <= usable_cores() <= os.cpu_count()
      True
    """
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    reader, writer = context.Pipe(duplex=False)
    options = {"initializer": _end_with, "initargs": (reader,)}
    with reader, writer, ProcessPoolExecutor(processes, context, **options) as executor:
        try:
            yield from _in_order(executor, function, chunks, ahead=CHUNKS_AHEAD * processes)
        except BaseException:
            writer.close()  # nobody reads what the processes are at: do not wait for it
            raise


def _in_order(
    executor: Executor, function: Callable[[Any], Any], chunks: Sequence[Any], *, ahead: int
) -> Iterator[Any]:
    """Yields results in order; at most `ahead` chunks are submitted before theirs are read."""
    pending: deque = deque()
    for chunk in chunks:
        with _without_interrupts():
            pending.append(executor.submit(function, chunk))
        if len(pending) >= ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Holds Ctrl-C back, for good in the processes that start meanwhile.

    It reaches all processes. The first one alone answers it, and then ends the others.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(reader: Connection) -> None:
    """Ends this process once nobody can write to the pipe.

    Which the first process alone could: it has closed its end, or was killed and cannot tell.
    """

    def wait() -> None:
        with contextlib.suppress(EOFError, OSError):
            reader.recv_bytes()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
