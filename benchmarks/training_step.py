"""One training step: ours, packed and padded, beside transformers' Flax, PyTorch and
sentence-transformers on the same pairs, interleaved.

    python benchmarks/training_step.py --sizes 4x256 --rounds 5

Forward, backward and AdamW with clipping of 32 pairs; InfoNCE of mean-pooled unit vectors times 20;
hidden dropout 0.1 everywhere, attention dropout 0.1 (`shared` or `elementwise`) or off. Batches are
laid out and on the device beforehand: loader.py measures that. Steps of one kind of library share
one set of weights and moments, which changes no time.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import jax
import numpy as np
import tyro
from peers import CLIP, RATE, SCALE, Sides, Step, StockFlax, torch_memory, torch_steps
from texts import CODE_LENGTH, QUERY_LENGTH, lengths_of, library_pairs, tokenizer_of
from tqdm import tqdm
from transformers import RobertaConfig

from softnce_jax import infonce
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.train.batches import Batch, batch_indices, batches
from softnce_jax.train.state import create, learning_rate, optimizer
from softnce_jax.train.step import make_step

VOCABULARY = {"4x256": 16_000, "6x384": 30_000, "12x768": 50_265}
BASE = "Flax padded, shared"
HEAD = """\
| step | wall, s | speed (quartiles) | CPU, s | speed | pairs/s | tokens/s | MB | compile, s |
|---|---|---|---|---|---|---|---|---|"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Measures training steps."""

    sizes: tuple[str, ...] = ("4x256", "6x384", "12x768")
    """Layers x width."""
    rounds: int = 5
    """Steps of each kind, on batches of their own, after one that is not counted."""
    only: tuple[str, ...] = ()
    """Names, or parts of them; by default all."""
    batch_size: int = 32
    """Pairs."""
    memory: bool = True
    """Whether to measure PyTorch's memory, in processes of their own."""


class Work(NamedTuple):
    """What every step of a size reads."""

    config: RobertaConfig
    tokenizer: Tokenizer
    packed: list[Batch]
    padded: list[Batch]  # one text a row
    sides: list[Sides]  # padded ids of queries and codes, each of its own length

    @property
    def tokens(self) -> float:
        """Real tokens of a counted batch, on average."""
        return np.mean([(batch.texts.rows.segment_ids >= 0).sum() for batch in self.packed[1:]])


def network(size: str) -> RobertaConfig:
    """RoBERTa of "layers x width"."""
    layers, width = map(int, size.split("x"))
    return RobertaConfig(
        vocab_size=VOCABULARY[size],
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        max_position_embeddings=CODE_LENGTH + 2,
        type_vocab_size=1,
    )


def work_of(size: str, pairs: list, tokenizer: Tokenizer, settings: Settings) -> Work:
    """The network and the batches of both layouts, the same pairs in each."""
    processor = Processor(tokenizer, QUERY_LENGTH, CODE_LENGTH)
    indices = batch_indices(len(pairs), settings.batch_size, 0)
    numbers = range(settings.rounds + 1)
    made = [
        [dataset[n] for n in numbers]
        for padded in (False, True)
        for dataset in [batches(indices, pairs, processor, one_text_per_row=padded)]
    ]
    sides = []
    for n in numbers:
        chosen = [pairs[i] for i in indices[n]]
        queries = processor.queries([pair.query for pair in chosen])
        codes = processor.codes(chosen)
        sides.append((tokenizer.pad(queries, QUERY_LENGTH), tokenizer.pad(codes, CODE_LENGTH)))
    return Work(network(size), tokenizer, *made, sides)


def jax_steps(work: Work, chosen: Callable[[str], bool]) -> dict[str, Step]:
    """Ours and transformers' Flax: one program a shape, all compiled here."""
    module = RobertaModule(work.config)
    lengths = (QUERY_LENGTH, CODE_LENGTH)
    kinds = {}
    for layout in ("packed", "padded"):
        for kind in ("shared", "elementwise", "off"):
            ours = Encoder(
                module.clone(attention_dropout=kind), work.tokenizer, "mean", True, *lengths
            )
            kinds[f"ours {layout}, {kind}"] = (ours, layout)
    kinds[BASE] = (StockFlax(work.config, 0.1), "sides")
    kinds[f"{BASE}, rbg keys"] = (StockFlax(work.config, 0.1, "rbg"), "sides")
    kinds["Flax padded, off"] = (StockFlax(work.config, 0.0), "sides")
    kinds = {name: made for name, made in kinds.items() if chosen(name)}
    if not kinds:
        return {}
    rate = learning_rate(RATE, 1000)
    tx = optimizer(rate, clip_norm=CLIP, weight_decay=0.0)
    params = Encoder(module, work.tokenizer, "mean", True, *lengths).init(jax.random.key(0))
    held = [create(params, tx)]
    return {
        name: jax_step(encoder, getattr(work, made), tx, rate, held)
        for name, (encoder, made) in tqdm(kinds.items(), desc="compiling")
    }


def jax_step(encoder: Any, made: list, tx: Any, rate: Any, held: list) -> Step:
    """A step that takes the state out of `held` and puts it back."""
    if isinstance(encoder, StockFlax):
        step, bound = encoder.step(tx), ()
    else:
        partial = make_step(encoder, lambda q, c, _: infonce(q, c, scale=SCALE), tx, rate, 0)
        step, bound = partial.func, partial.args
    compiled, costs = {}, []
    for batch in made:
        if (shape := jax.tree.leaves(batch)[0].shape) not in compiled:
            start = time.perf_counter()
            program = step.lower(*bound, held[0], batch).compile()
            megabytes = program.memory_analysis().temp_size_in_bytes / 1e6
            costs.append((time.perf_counter() - start, megabytes))
            compiled[shape] = program
    on_device = jax.device_put(made)

    def run(n: int) -> None:
        batch = on_device[n]
        held[0], metrics = compiled[jax.tree.leaves(batch)[0].shape](*bound, held[0], batch)
        jax.block_until_ready((held[0], metrics))

    return Step(run, costs)


def measure(steps: dict[str, Step], rounds: int) -> dict[str, np.ndarray]:
    """(rounds, 2) wall-clock and CPU seconds; the order turns, the first round is dropped."""
    names, seconds = list(steps), {name: [] for name in steps}
    for n in tqdm(range(rounds + 1), desc="rounds"):
        for name in np.roll(names, n):
            wall, cpu = time.perf_counter(), time.process_time()
            steps[name].run(n)
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: np.array(values[1:]) for name, values in seconds.items()}


def about(settings: Settings) -> str:
    """Machine, versions and flags."""
    known = [f"{n} {version(n)}" for n in ("jax", "flax", "transformers", "torch", "optax")]
    try:
        known.append(f"sentence-transformers {version('sentence-transformers')}")
    except PackageNotFoundError:
        known.append("no sentence-transformers")
    device, cores = jax.devices()[0].device_kind, len(os.sched_getaffinity(0))
    machine = f"{platform.machine()}, {device}, {cores} cores, Python {platform.python_version()}"
    return f"{machine}, {', '.join(known)}, {settings}"


def main(settings: Settings) -> None:
    """Prints a table for each size."""
    pairs = library_pairs()
    tokenizer = tokenizer_of(pairs, max(VOCABULARY.values()))
    print(about(settings), lengths_of(pairs, tokenizer), sep="\n", end="\n\n")
    for size in settings.sizes:
        report(size, work_of(size, pairs, tokenizer, settings), settings)


def report(size: str, work: Work, settings: Settings) -> None:
    """Measures and prints the table of a size."""

    def chosen(name: str) -> bool:
        return name == BASE or any(part in name for part in settings.only or ("",))

    steps = jax_steps(work, chosen)
    steps |= torch_steps(work.config, work.tokenizer, work.sides, chosen)
    seconds = measure(steps, settings.rounds)
    costs = {name: step.programs for name, step in steps.items()}
    positions = [batch.texts.rows.ids.size for batch in work.packed[1:]]
    del steps
    gc.collect()
    memory = {name: programs[0][1] for name, programs in costs.items() if programs}
    if settings.memory:
        for name in [name for name in costs if name not in memory]:
            memory[name] = torch_memory(name, work.config, work.tokenizer, work.sides[0])
    padded = sum(x.size for x in work.sides[0])
    print(
        f"{size}: {work.tokens:.0f} real tokens a batch, {np.mean(positions):.0f} positions "
        f"packed, {padded} padded; load {os.getloadavg()[0]:.1f}\n"
    )
    print(HEAD)
    for name, values in seconds.items():
        print(line(name, values, seconds[BASE], work.tokens, costs[name], memory, settings))
    print(flush=True)


def line(name, values, base, tokens, programs, memory, settings: Settings) -> str:
    """One row of the table; speeds are those of the base's step times over this one's."""
    wall, cpu = np.median(values, axis=0)
    speeds = [
        f"{np.median(base[:, i]) / np.median(values[:, i]):.2f} ({low:.2f}–{high:.2f})"
        for i in (0, 1)
        for low, high in [np.quantile(base[:, i] / values[:, i], (0.25, 0.75))]
    ]
    compiled = f"{programs[0][0]:.1f} x {len(programs)}" if programs else ""
    megabytes = f"{memory[name]:.0f}" if name in memory else ""
    cells = [name, f"{wall:.2f}", speeds[0], f"{cpu:.2f}", speeds[1]]
    cells += [f"{settings.batch_size / wall:.3g}", f"{tokens / wall:.0f}", megabytes, compiled]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(tyro.cli(Settings))
