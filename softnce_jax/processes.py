"""Work in processes of their own, results in order."""

from __future__ import annotations

import functools
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor


def run(work: Callable, chunks: list, processes: int) -> Iterator:
    """The results of chunks, in order, from as many processes."""
    if processes == 1:
        yield from map(work, chunks)
        return
    # Spawned, because a fork of a process with threads, jax's for instance, may hang.
    context = multiprocessing.get_context("spawn")
    ignore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(processes, context, initializer=ignore) as executor:
        yield from in_order(executor, work, chunks, ahead=4 * processes)


def in_order(executor: Executor, work: Callable, chunks: list, *, ahead: int) -> Iterator:
    """Results in order, only so many chunks ahead of whoever reads them."""
    waiting: deque = deque()
    try:
        for chunk in chunks:
            waiting.append(executor.submit(work, chunk))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
