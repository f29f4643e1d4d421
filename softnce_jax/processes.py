"""Data flow of many functions: in processes of their own, under a progress bar."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor

from tqdm import tqdm

from softnce_jax.dataflow.extract import DataFlow, Extractor

Function = tuple[str, str]  # language, code

CHUNK = 128
FEW = 2_000  # functions that take about as long as starting processes


def extract_all(
    functions: Sequence[Function], rules: str, *, processes: int | None = None
) -> Iterator[DataFlow]:
    """The data flow of functions, in their order.

    Args:
      functions: pairs of language and code.
      rules: of the Extractor.
      processes: at work; by default one a core, and none beside this one for few functions.

    Yields:
      A DataFlow for each function.
    """
    if processes is None:
        processes = (os.cpu_count() or 1) if len(functions) > FEW else 1
    chunks = [functions[at : at + CHUNK] for at in range(0, len(functions), CHUNK)]
    work = functools.partial(extract_chunk, rules=rules)
    quiet = processes == 1 and len(functions) <= FEW
    calm = 0.2 if sys.stderr.isatty() else 20
    with tqdm(
        total=len(functions), desc="data flow", unit="function", disable=quiet, mininterval=calm
    ) as bar:
        for found in run(work, chunks, processes):
            yield from found
            bar.update(len(found))


def run(work: Callable, chunks: list, processes: int) -> Iterator[list[DataFlow]]:
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


def extract_chunk(functions: Sequence[Function], rules: str) -> list[DataFlow]:
    """The data flow of some functions, in this process."""
    return [extractor(language, rules)(code) for language, code in functions]


@functools.cache
def extractor(language: str, rules: str) -> Extractor:
    """The Extractor of the process."""
    return Extractor(language, rules)
