"""Exact ranks of the true codes against sorting all scores, time and memory.

    python benchmarks/evaluation.py

Ours runs whole. The full matrix of scores with its argsort would take 12 bytes a score (7.9 GB at
15,000 x 44,000), so it is timed on some queries and scaled: its time is proportional to them.
"""

from __future__ import annotations

import dataclasses
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import tyro

from softnce_jax.mesh import make_mesh
from softnce_jax.retrieval.metrics import query_metrics
from softnce_jax.retrieval.ranking import vector_ranks


@dataclasses.dataclass(frozen=True)
class Settings:
    """Measures ranks of random vectors that are anisotropic, as those of encoders are."""

    queries: int = 15_000
    """Q."""
    candidates: int = 44_000
    """M."""
    width: int = 768
    """D."""
    sorted_queries: int = 500
    """How many queries the full sort is timed on."""
    devices: tuple[int, ...] = (1, 2, 4)
    """Virtual devices, where there is but a CPU."""
    rounds: int = 3
    """Of each, taking turns; medians are told."""


def vectors(settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries, candidates and the true one of each; MRR is about 0.1."""
    random = np.random.default_rng(0)
    shape = settings.candidates, settings.width
    middle_D = random.normal(size=settings.width).astype(np.float32)
    c_MD = random.standard_normal(shape, dtype=np.float32)
    true_Q = random.integers(0, settings.candidates, settings.queries)
    q_QD = random.standard_normal((settings.queries, settings.width), dtype=np.float32)
    q_QD += 0.15 * c_MD[true_Q] + middle_D
    c_MD += middle_D
    return q_QD, c_MD, true_Q.astype(np.int32)


def timed(run: Callable[[], Any]) -> tuple[Any, np.ndarray]:
    """What it gives, and its wall-clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, np.array([time.perf_counter() - wall, time.process_time() - cpu])


def by_sorting(q_RD: np.ndarray, c_MD: np.ndarray, true_R: np.ndarray, kind: str | None):
    """Places by sorting every row of scores, and the seconds of product, sort and look-up."""
    score_RM, product = timed(lambda: q_RD @ c_MD.T)
    order_RM, sort = timed(lambda: np.argsort(score_RM, axis=1, kind=kind)[:, ::-1])
    place_R, look_up = timed(lambda: 1 + np.argmax(order_RM == true_R[:, None], axis=1))
    return place_R, np.stack([product, sort, look_up])


def sorting(settings: Settings, vectors: tuple, kind: str | None) -> tuple[np.ndarray, np.ndarray]:
    """`by_sorting` of the first queries, its seconds scaled to all."""
    q_QD, c_MD, true_Q = vectors
    some = slice(settings.sorted_queries)
    ranks, seconds = by_sorting(q_QD[some], c_MD, true_Q[some], kind)
    return ranks, seconds * settings.queries / len(ranks)


def megabytes() -> float:
    """The most memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main(settings: Settings) -> None:
    """Prints the table."""
    jax.config.update("jax_num_cpu_devices", max(settings.devices))
    q_QD, c_MD, true_Q = data = vectors(settings)
    graded = true_Q[:, None], np.ones((settings.queries, 1), np.int32)
    before = megabytes()
    counts = [n for n in settings.devices if n <= len(jax.devices())]
    meshes = {n: make_mesh(jax.devices()[:n]) for n in counts}
    ours, kinds = {n: [] for n in meshes}, {None: [], "stable": []}
    first, memory = None, {}
    for _ in range(settings.rounds):
        for n, mesh in meshes.items():
            ranks, seconds = timed(lambda mesh=mesh: vector_ranks(q_QD, c_MD, *graded, mesh=mesh))
            ours[n].append(seconds)
            memory.setdefault(n, megabytes())
            first = first or ranks
            assert all(np.array_equal(a, b) for a, b in zip(ranks, first, strict=True))
        for kind, found in kinds.items():
            ranks, seconds = sorting(settings, data, kind)
            found.append(seconds)
            share = np.mean(ranks == first.best_QG[: len(ranks), 0])
    table(settings, ours, kinds, memory, before)
    mrr = query_metrics(first)["mrr"].mean()
    print(f"\nMRR {mrr:.4f}; {share:.2%} of the sorted ranks are equal.")


def table(settings: Settings, ours: dict, kinds: dict, memory: dict, before: float) -> None:
    """Medians, and how many times ours on one device goes into each."""
    about = f"Python {platform.python_version()}, jax {jax.__version__}, numpy {np.__version__}"
    print(f"{platform.machine()}, {jax.devices()[0].device_kind}, {about}, {settings}")
    print(f"{before:.0f} MB before\n")
    print("| by | wall, s | times ours | CPU, s | times ours | peak, MB |\n" + "|---" * 6 + "|")
    one = np.median(ours[min(ours)], axis=0)
    rows = {f"counting, {n} devices": (np.median(x, axis=0), memory[n]) for n, x in ours.items()}
    for kind, found in kinds.items():
        parts = dict(zip(("product", "argsort", "look-up"), np.median(found, axis=0), strict=True))
        name = "argsort" if kind is None else f"{kind} argsort"
        rows |= {f"{name}: {part}": (seconds, None) for part, seconds in parts.items()}
        rows[f"{name}: all"] = (np.median(np.sum(found, axis=1), axis=0), None)
    for name, ((wall, cpu), peak) in rows.items():
        told = "" if peak is None else f"{peak:.0f}"
        print(f"| {name} | {wall:.1f} | {wall / one[0]:.1f} | {cpu:.1f} | {cpu / one[1]:.1f} | "
              f"{told} |")  # fmt: skip


if __name__ == "__main__":
    main(tyro.cli(Settings))
