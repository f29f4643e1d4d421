"""The static encoder: a training step by batch size, its update, and answers on the host.

    python benchmarks/static.py                          # the pairs of Python's own library
    python benchmarks/static.py --data FOLDER --lang python

A step is InfoNCE's: block by block from 4,096 pairs. Its parts are told by programs that leave
something out, interleaved: without the update, with plain gradient descent instead of AdamW, and
with Adam for the rows of the batch alone, which is what an update of only those could save.
Batches are laid out beforehand; the loader's time stands beside.
"""

from __future__ import annotations

import dataclasses
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from texts import library_pairs
from tqdm import tqdm

from softnce_jax.data.corpus import Pair
from softnce_jax.data.load import load_corpora
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.static import StaticTextEncoder
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.pretrained.static import write_static
from softnce_jax.pretrained.static_starts import static_from_texts
from softnce_jax.train.batches import Batch, batch_indices, batches
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.objective import Objective
from softnce_jax.train.state import optimizer
from softnce_jax.train.step import embed_texts
from softnce_jax.train.versions import versions

COLD = """
import sys, time
from softnce_jax import load_static
load_static(sys.argv[1]).encode_query(["read a file line by line"])
"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Measures the static encoder."""

    data: str | None = None
    """Training data as of finetune.py; by default what is mined of Python's library."""
    lang: str = "python"
    """Of the data."""
    batch_sizes: tuple[int, ...] = (256, 1024, 4096)
    """Pairs a step."""
    rounds: int = 5
    """Steps of each kind, after one that is not counted."""


Run = Callable[[Batch], Any]


def steps(encoder: StaticEncoder, params: Any, batch_size: int) -> dict[str, Run]:
    """Programs of a step, by what they do; each keeps its own state."""
    config = Config(lang="python", encoder="static", loss="infonce", batch_size=batch_size)
    objective = Objective(resolve(config, on_sample=False, train_pairs=batch_size)[0], 20.0)

    def gradient(params, batch):
        def loss(params):
            return objective(*embed_texts(encoder, params, batch.texts, None), batch)

        return jax.value_and_grad(loss)(params)

    adam = optimizer(lambda _: 1e-3, clip_norm=1.0, weight_decay=0.0)
    descent = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(1e-3))

    def update(tx):
        @jax.jit
        def step(state, batch):
            params, moments = state
            value, gradients = gradient(params, batch)
            updates, moments = tx.update(gradients, moments, params)
            return (optax.apply_updates(params, updates), moments), value

        return step, (params, tx.init(params))

    @jax.jit
    def of_rows(state, batch):
        """Adam for the rows that the batch has, each once: what an update of only those costs."""
        params, (mean, square), count = state
        value, gradients = gradient(params, batch)
        tokens = batch.texts.rows.ids.size
        rows_U = jnp.unique(batch.texts.rows.ids, size=min(tokens, len(params["weights"])))
        count += 1

        def moved(x, m, s, g):
            g, m_U, s_U = g[rows_U], m[rows_U], s[rows_U]
            m_U, s_U = 0.9 * m_U + 0.1 * g, 0.999 * s_U + 0.001 * g**2
            step = m_U / (1 - 0.9**count) / (jnp.sqrt(s_U / (1 - 0.999**count)) + 1e-8)
            return x.at[rows_U].add(-1e-3 * step), m.at[rows_U].set(m_U), s.at[rows_U].set(s_U)

        new = {
            name: moved(params[name], mean[name], square[name], gradients[name]) for name in params
        }
        params, mean, square = ({name: new[name][i] for name in new} for i in range(3))
        return (params, (mean, square), count), value

    zeros = jax.tree.map(jnp.zeros_like, params)
    programs = {
        "AdamW": update(adam),
        "Adam of the batch's rows": (of_rows, (params, (zeros, zeros), jnp.zeros(()))),
        "gradient descent": update(descent),
        "gradient alone": (
            jax.jit(lambda state, batch: (state, gradient(*state, batch))),
            (params,),
        ),
        "vectors alone": (
            jax.jit(lambda state, batch: (state, embed_texts(encoder, *state, batch.texts, None))),
            (params,),
        ),
    }

    def run(name: str) -> Run:
        program, state = programs[name]

        def call(batch: Batch) -> None:
            nonlocal state
            state, value = program(state, batch)
            jax.block_until_ready((state, value))

        return call

    return {name: run(name) for name in programs}


def measure_steps(encoder: StaticEncoder, params: Any, pairs: list[Pair], s: Settings) -> None:
    """Prints the table of steps."""
    processor = Processor.of(encoder).caching()
    print(
        "| pairs | tokens | loader, ms | step | wall, ms | pairs/s | of AdamW's |\n"
        + "|---" * 7
        + "|"
    )
    for batch_size in s.batch_sizes:
        if batch_size > len(pairs):
            print(f"| {batch_size} | {len(pairs)} pairs are too few |")
            continue
        dataset = batches(batch_indices(len(pairs), batch_size, 0), pairs, processor)
        runs = steps(encoder, params, batch_size)
        for call in runs.values():  # compiles
            call(jax.device_put(dataset[0]))
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        loading, shapes = [], set()
        for n in tqdm(range(s.rounds * 2 + 1), desc=f"{batch_size} pairs"):
            start = time.perf_counter()
            loaded = dataset[n % max(1, len(pairs) // batch_size)]
            loading.append(time.perf_counter() - start)
            batch = jax.device_put(loaded)
            shape = batch.texts.rows.ids.shape
            for name in np.roll([*runs], n):
                start = time.perf_counter()
                runs[name](batch)
                if shape in shapes:  # else it compiled
                    seconds[name].append(time.perf_counter() - start)
            shapes.add(shape)
        middle = {name: np.median(values) for name, values in seconds.items()}
        for name, value in middle.items():
            ratio = np.median(np.array(seconds[name]) / np.array(seconds["AdamW"]))
            tokens, load = batch.texts.rows.ids.size, 1e3 * np.median(loading)
            print(
                f"| {batch_size} | {tokens:,} | {load:.0f} | {name} | {1e3 * value:.1f} | "
                f"{batch_size / value:,.0f} | {ratio:.2f} |"
            )


def measure_answers(model: StaticTextEncoder, pairs: list[Pair], rounds: int) -> None:
    """Prints the times of answers: a query alone, all functions, a process that starts."""
    queries, codes = [p.query for p in pairs[:2000]], [p.code for p in pairs[:2000]]
    model.encode_query(queries)
    times = {"a query alone": [], "2,000 functions": [], "a process from cold": []}
    with tempfile.TemporaryDirectory() as folder:
        write_static(f"{folder}/model", model)
        size = (Path(folder) / "model/model.safetensors").stat().st_size
        for _ in range(rounds):
            start = time.perf_counter()
            for query in queries:
                model.encode_query([query])
            times["a query alone"].append((time.perf_counter() - start) / len(queries))
            start = time.perf_counter()
            model.encode_document(codes)
            times["2,000 functions"].append(time.perf_counter() - start)
            command = [sys.executable, "-c", COLD, f"{folder}/model"]
            start = time.perf_counter()
            subprocess.run(command, check=True)
            times["a process from cold"].append(time.perf_counter() - start)
    tokens, dimensions = model.table.embeddings.shape
    print(f"\n{tokens:,} tokens of {dimensions} numbers, {size / 1e6:.0f} MB\n")
    print("| answer | median, ms | lowest, ms |\n|---|---|---|")
    for name, values in times.items():
        print(f"| {name} | {1e3 * np.median(values):.3f} | {1e3 * min(values):.3f} |")


def main(settings: Settings) -> None:
    """Prints the tables."""
    if settings.data is None:
        pairs = library_pairs()
    else:
        corpora, _ = load_corpora(settings.data, settings.lang, strict=False)
        pairs = [pair for corpus in corpora for pair in corpus.train]
    texts = [text for pair in pairs for text in (pair.query, pair.code)]
    encoder, params = static_from_texts(texts, key=jax.random.key(0))
    about = {n: versions()[n] for n in ("python", "jax")}
    print(
        f"{platform.processor() or platform.machine()}, {about}, {len(pairs)} pairs, {settings}\n"
    )
    measure_steps(encoder, params, pairs, settings)
    measure_answers(encoder.bind(params), pairs, settings.rounds)


if __name__ == "__main__":
    main(tyro.cli(Settings))
