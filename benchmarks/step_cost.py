"""What Soft-InfoNCE costs: its step with each estimator against InfoNCE's, interleaved.

    python benchmarks/step_cost.py

A step here is drawing and laying out the batch, moving it to the device, and the update, one
after the other; training does the first beside the last, so the ratios are upper bounds.
"""

from __future__ import annotations

import dataclasses
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from tqdm import tqdm

from softnce_jax.data.corpus import Pair
from softnce_jax.encoders.processor import Processor
from softnce_jax.mesh import make_mesh, shard_rows
from softnce_jax.pretrained.export import export_model
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config
from softnce_jax.train.features import make_features, precomputed_estimators
from softnce_jax.train.setup import (
    build_encoder,
    build_step,
    cache_folder,
    read_data,
    schedule_of,
    settle,
)
from softnce_jax.train.versions import versions


@dataclasses.dataclass(frozen=True)
class Settings:
    """Measures steps on the data and the encoder named."""

    lang: str = "ruby"
    """As of finetune.py."""
    data: str = "sample"
    """As of finetune.py."""
    encoder: str = "auto"
    """As of finetune.py."""
    model: str | None = None
    """Of the sentence and teacher estimators; by default the encoder itself."""
    batch_size: int = 32
    """Pairs a step."""
    rounds: int = 20
    """Steps of each estimator."""


# (wall-clock seconds, the process's CPU seconds) of the step of batch n.
Run = Callable[[int], tuple[float, float]]


def stepper(config: Config, pairs: Sequence[Pair], encoder: Any, params: Any) -> Run:
    """Runs and times the step of a batch."""
    mesh, processor = make_mesh(jax.devices()), Processor.of(encoder)
    folder = cache_folder(config.data, "features")
    features = make_features(config, pairs, processor, precomputed_estimators(config), folder)
    indices = batch_indices(len(pairs), config.batch_size, 0)
    dataset = batches(indices, pairs, processor, features)
    step, state = build_step(config, encoder, params, schedule_of(config, len(pairs)), mesh)

    def run(n: int) -> tuple[float, float]:
        nonlocal state
        wall, cpu = time.perf_counter(), time.process_time()
        state, metrics = step(state, shard_rows(dataset[n], mesh))
        jax.block_until_ready((state, metrics))
        return time.perf_counter() - wall, time.process_time() - cpu

    return run


def main(settings: Settings) -> None:
    """Prints a table of medians and ratios."""
    given = {n: getattr(settings, n) for n in ("lang", "data", "encoder", "batch_size")}
    plain = Config(**given, loss="infonce")
    data = read_data(plain)
    plain, _ = settle(plain, data)
    encoder, params = build_encoder(plain, data.train)
    with tempfile.TemporaryDirectory() as folder:
        export_model(Path(folder) / "model", encoder, params)
        model = settings.model or f"{folder}/model"
        soft = {
            "bm25": {},
            "bm25, corpus": {"bm25_statistics": "corpus"},
            "sentence": {"sentence_model": model},
            "teacher": {"teacher": model},
            "bm25+sentence": {"sentence_model": model},
        }
        runs = {"InfoNCE": stepper(plain, data.train, encoder, params)}
        for name, more in soft.items():
            config = Config(**given, estimator=name.split(",")[0], **more)
            runs[name] = stepper(settle(config, data)[0], data.train, encoder, params)
        seconds = measure(runs, settings.rounds)
    table(seconds, settings)


def measure(runs: dict[str, Run], rounds: int) -> dict[str, np.ndarray]:
    """(rounds, 2) seconds; the order turns from round to round, the two first are dropped."""
    names, seconds = list(runs), {name: [] for name in runs}
    for n in tqdm(range(rounds + 2), desc="rounds"):
        for name in np.roll(names, n):
            seconds[name].append(runs[name](n))
    return {name: np.array(values[2:]) for name, values in seconds.items()}


def table(seconds: dict[str, np.ndarray], settings: Settings) -> None:
    """Medians, their ratio to InfoNCE's, and the quartiles of the ratios of single rounds."""
    device = jax.devices()[0].device_kind
    about = {n: versions()[n] for n in ("python", "jax", "transformers")}
    print(f"{platform.machine()}, {device}, {about}, {settings}\n")
    print(
        "| step | wall, ms | ratio | quartiles | CPU, ms | ratio | quartiles |\n" + "|---" * 7 + "|"
    )
    base = seconds["InfoNCE"]
    for name, values in seconds.items():
        middle = np.median(values, axis=0)
        ratio = middle / np.median(base, axis=0)
        low, high = np.quantile(values / base, (0.25, 0.75), axis=0)
        cells = [
            f"{1e3 * middle[i]:.0f} | {ratio[i]:.3f} | {low[i]:.3f}–{high[i]:.3f}" for i in (0, 1)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(tyro.cli(Settings))
