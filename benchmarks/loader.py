"""The loader: laying batches out, steps with it beside steps without, how full rows are.

    python benchmarks/loader.py

Soft-InfoNCE with BM25 weights; mined functions of Python's library, cut at 128 and 256 tokens.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product

import grain
import jax
import numpy as np
import tyro
from absl import flags
from texts import CODE_LENGTH, QUERY_LENGTH, lengths_of, library_pairs, tokenizer_of
from tqdm import tqdm
from training_step import VOCABULARY, about, network

from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.mesh import make_mesh, shard_rows
from softnce_jax.train.batches import Batch, Features, batch_indices, batches, load_ahead
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.features import bm25
from softnce_jax.train.objective import Objective
from softnce_jax.train.state import create, learning_rate, optimizer
from softnce_jax.train.step import make_step


@dataclasses.dataclass(frozen=True)
class Settings:
    """Measures the loader."""

    sizes: tuple[str, ...] = ("4x256", "6x384")
    """Layers x width of the networks whose steps are timed."""
    steps: int = 8
    """Of a round; the same batches in every round."""
    rounds: int = 3
    """Of steps with the loader and without, taking turns."""
    batches: int = 1000
    """Laid out, for times and for how full rows are."""
    batch_sizes: tuple[int, ...] = (32, 64, 256)
    """Pairs of a batch, for how full rows are; steps have the first."""


def clocked(run: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and CPU seconds, those of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def quartiles(values: np.ndarray) -> str:
    """Median and quartiles."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


def laying_out(pairs: list, processor: Processor, features: Features, settings: Settings) -> None:
    """Prints what the parts of laying a batch out take, one thread."""
    indices = batch_indices(len(pairs), settings.batch_sizes[0], 0)
    cached, one_each = with_all_cached(processor, pairs), {"one_text_per_row": True}
    whole = {
        "packed": batches(indices, pairs, processor),
        "padded": batches(indices, pairs, processor, **one_each),
        "packed, BM25": batches(indices, pairs, processor, features),
        "padded, BM25": batches(indices, pairs, processor, features, **one_each),
        "packed, BM25, cached tokens": batches(indices, pairs, cached, features),
    }

    def tokenize(n: int) -> None:
        chosen = [pairs[i] for i in indices[n]]
        processor.queries([pair.query for pair in chosen])
        processor.codes(chosen)

    parts = {"tokenizing alone": tokenize} | {n: d.__getitem__ for n, d in whole.items()}
    seconds = {name: [] for name in parts}
    for n in range(settings.batches // 10):
        for name in np.roll(list(parts), n):
            seconds[name].append(clocked(lambda name=name, n=n: parts[name](n)))
    print("| a batch laid out | wall, ms | CPU, ms |\n|---|---|---|")
    for name, values in seconds.items():
        cells = [quartiles(1e3 * np.array(values)[5:, i]) for i in (0, 1)]
        print(f"| {name} | {' | '.join(cells)} |")
    print(flush=True)


def with_all_cached(processor: Processor, pairs: list) -> Processor:
    """As after an epoch: every text is tokenized."""
    cached = processor.caching()
    cached.queries([pair.query for pair in pairs])
    cached.codes(pairs)
    return cached


def threads_and_processes(
    pairs: list, processor: Processor, features: Features, settings: Settings
) -> None:
    """Prints what a batch takes a caller who does nothing else: threads, and worker processes."""
    print("| pairs | tokens | processes | first batch, s | a batch, ms |\n" + "|---" * 5 + "|")
    caches = {"not cached": processor, "cached": with_all_cached(processor, pairs)}
    for size, (name, chosen) in product(settings.batch_sizes[::2], caches.items()):
        dataset = batches(batch_indices(len(pairs), size, 0), pairs, chosen, features)
        for processes in (0, 1, 2):
            first, each = waited(dataset, processes, 10 * settings.batches // size)
            print(f"| {size} | {name} | {processes or 'none, two threads'} | {first:.1f} "
                  f"| {1e3 * each:.2f} |", flush=True)  # fmt: skip
    print()


def waited(dataset: grain.MapDataset, processes: int, count: int) -> tuple[float, float]:
    """Seconds until the first batch, and for each of `count` later ones."""
    began = time.perf_counter()
    ahead = in_processes(dataset, processes) if processes else load_ahead(dataset, 0)
    next(ahead)
    first = time.perf_counter() - began
    for _ in range(16):  # what was read ahead meanwhile
        next(ahead)
    return first, clocked(lambda: [next(ahead) for _ in range(count)])[0] / count


def in_processes(dataset: grain.MapDataset, count: int) -> Iterator[Batch]:
    """As `load_ahead`, in worker processes."""
    read = grain.ReadOptions(num_threads=2, prefetch_buffer_size=4)
    options = grain.MultiprocessingOptions(num_workers=count)
    return iter(dataset.to_iter_dataset(read).mp_prefetch(options))


def steps_with_and_without(
    size: str, pairs: list, tokenizer: Tokenizer, features: Features, settings: Settings
) -> None:
    """Prints what a step takes from the loader, over the same batches on the device beforehand."""
    config = Config(encoder="codebert", batch_size=settings.batch_sizes[0])
    config, _ = resolve(config, on_sample=False, train_pairs=len(pairs))
    processor = Processor(tokenizer, QUERY_LENGTH, CODE_LENGTH)
    module = RobertaModule(network(size))
    encoder = Encoder(module, tokenizer, "mean", True, QUERY_LENGTH, CODE_LENGTH)
    rate, mesh = learning_rate(2e-5, 10_000), make_mesh(jax.devices())
    tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0)
    step = make_step(encoder, Objective(config, 20.0), tx, rate, 0)
    state = create(encoder.init(jax.random.key(0)), tx)
    dataset = batches(batch_indices(len(pairs), config.batch_size, 0), pairs, processor, features)
    made = [shard_rows(dataset[n], mesh) for n in range(settings.steps)]

    def advance(batch: Batch) -> None:
        nonlocal state
        state, metrics = step(state, batch)
        jax.block_until_ready((state, metrics))

    def loaded() -> None:
        ahead = load_ahead(dataset, 0)
        for _ in range(settings.steps):
            advance(shard_rows(next(ahead), mesh))

    def repeated() -> None:
        for batch in made:
            advance(batch)

    repeated()
    kinds, seconds = [loaded, repeated], {loaded: [], repeated: []}
    for n in tqdm(range(settings.rounds), desc=size):
        for kind in (kinds, kinds[::-1])[n % 2]:
            seconds[kind].append(clocked(kind))
    shapes = len({batch.texts.rows.ids.shape for batch in made})
    for i, name in enumerate(("wall", "CPU")):
        with_it, without = (np.array(seconds[kind])[:, i] / settings.steps for kind in kinds)
        ratio = np.median(with_it) / np.median(without)
        print(f"| {size} | {shapes} | {name} | {np.median(without):.3f} | {np.median(with_it):.3f} "
              f"| {ratio:.3f} | {quartiles(with_it / without)} |", flush=True)  # fmt: skip


def fullness(pairs: list, processor: Processor, batch_size: int, settings: Settings) -> None:
    """Prints how much of the rows is text, and how many numbers of rows there are."""
    dataset = batches(batch_indices(len(pairs), batch_size, 0), pairs, processor)
    rows, used, tokens = [], [], []
    for n in tqdm(range(settings.batches), desc=f"{batch_size} pairs"):
        text_RL = dataset[n].texts.rows.segment_ids[0]
        rows.append(len(text_RL))
        used.append((text_RL >= 0).any(axis=1).sum())
        tokens.append((text_RL >= 0).sum())
    share, before = (
        sum(tokens) / sum(counts) / processor.capacity.length for counts in (rows, used)
    )
    padded = np.mean(tokens) / batch_size / (QUERY_LENGTH + CODE_LENGTH)
    worst = min(t / r for t, r in zip(tokens, rows, strict=True)) / processor.capacity.length
    counts = ", ".join(f"{r}: {c}" for r, c in sorted(Counter(rows).items()))
    print(f"| {batch_size} | {share:.3f} | {worst:.3f} | {before:.3f} | {padded:.3f} "
          f"| {len(set(rows))} | {counts} |", flush=True)  # fmt: skip


def main(settings: Settings) -> None:
    """Prints four tables."""
    flags.FLAGS(["loader.py"])  # Grain's processes read absl's flags
    pairs = library_pairs()
    tokenizer = tokenizer_of(pairs, max(VOCABULARY.values()))
    processor = Processor(tokenizer, QUERY_LENGTH, CODE_LENGTH)
    features = bm25(pairs, processor, Config())
    print(about(settings), lengths_of(pairs, tokenizer), sep="\n", end="\n\n")
    laying_out(pairs, processor, features, settings)
    threads_and_processes(pairs, processor, features, settings)
    print("| pairs | share of text | least | before rounding rows up | padded | row counts | how "
          "often |\n" + "|---" * 7 + "|")  # fmt: skip
    for batch_size in settings.batch_sizes:
        fullness(pairs, processor, batch_size, settings)
    print("\n| size | shapes | clock | step, s | with the loader | ratio | single rounds |\n"
          + "|---" * 7 + "|")  # fmt: skip
    for size in settings.sizes:
        steps_with_and_without(size, pairs, tokenizer, features, settings)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(tyro.cli(Settings))
