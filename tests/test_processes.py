"""Work in processes: results in the order of the work, a few chunks ahead of their reader."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from softnce_jax import processes
from softnce_jax.processes import imap


def slow_first(chunk: int) -> tuple[int, int]:
    time.sleep(0.3 if chunk == 0 else 0)
    return chunk, os.getpid()


def end(_: int) -> None:
    os._exit(9)


def test_one_process_is_this_one_and_works_on_demand():
    results = imap(slow_first, [1, 2], 1)
    assert next(results) == (1, os.getpid())


def test_results_are_in_order():
    numbers, others = zip(*imap(slow_first, list(range(6)), 2), strict=True)
    assert numbers == tuple(range(6)) and os.getpid() not in others


def test_a_process_that_ends_is_an_error():
    with pytest.raises(BrokenProcessPool):
        list(imap(end, [1], 2))


def test_only_so_many_chunks_are_begun_before_their_results_are_read():
    begun = []
    with ThreadPoolExecutor(1) as executor:
        results = processes._in_order(executor, begun.append, list(range(50)), ahead=3)
        next(results)
        time.sleep(0.2)
        assert len(begun) <= 3
        results.close()
    assert len(begun) <= 3  # those that were not begun are cancelled
