"""Memory and time of one step of `tiny` at a large batch, in slices and at once.

    python benchmarks/gradient_caching.py --pairs 4096 --micro-batch 32

Each case is a process of its own; the peak of its resident set is that of everything: Python, jax,
the compiler. The texts are those of the sample corpus in six languages, over and over.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
import time
from itertools import cycle, islice

import jax
import numpy as np
import tyro

from softnce_jax.data.sample import load_sample
from softnce_jax.encoders.processor import Processor
from softnce_jax.languages import LANGUAGES
from softnce_jax.pretrained.tiny import tiny
from softnce_jax.train.batches import Batch, batch_indices, batches
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.objective import Objective
from softnce_jax.train.step import embed_slices


@dataclasses.dataclass(frozen=True)
class Settings:
    """Measures a large batch, and at a size that fits at once, both ways."""

    pairs: int = 4096
    """Of the large batch."""
    micro_batch: int = 32
    """Pairs at a time."""
    directly: int = 512
    """Of the batch that is encoded both ways."""
    case: tuple[int, int] | None = None
    """Pairs, and pairs at a time, of one case: prints it as JSON."""


def main(settings: Settings) -> None:
    """Prints a line for each case, and how far the gradients of the two ways differ."""
    if settings.case is not None:
        print(json.dumps(measure(*settings.case)))
        return
    few, at_once = settings.directly, settings.micro_batch
    cases = {"at once": (few, few), "in slices": (few, at_once), "large": (settings.pairs, at_once)}
    found = {name: in_a_process(*case) for name, case in cases.items()}
    for name, (pairs, part) in cases.items():
        values = found[name]
        print(
            f"{name:10}{pairs:6} pairs, {part:4} at a time: {values['seconds']:6.1f} s, "
            f"{values['cpu']:6.1f} CPU s, peak {values['megabytes']:5.0f} MB"
        )
    one, other = (np.array(found[name]["gradients"]) for name in ("at once", "in slices"))
    print(
        f"gradients: largest difference {np.abs(one - other).max():.1e} of {np.abs(one).max():.1e}"
    )


def in_a_process(pairs: int, at_once: int) -> dict:
    """The measurements of a case."""
    command = [sys.executable, __file__, "--case", str(pairs), str(at_once)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(count: int, at_once: int) -> dict:
    """The gradients of a batch, once compiled: time, peak memory of the process, some numbers."""
    sample = [pair for language in LANGUAGES for pair in load_sample(language).train]
    pairs = list(islice(cycle(sample), count))
    texts = [text for pair in sample for text in (pair.query, pair.code)]
    encoder, params = tiny(texts, key=jax.random.key(0))
    config, _ = resolve(Config(encoder="tiny", loss="infonce"), on_sample=True, train_pairs=count)
    processor = Processor(encoder.tokenizer, config.query_length, config.code_length)
    slices, loss = count // at_once, Objective(config, 20.0)
    batch = batches(batch_indices(count, count, seed=0), pairs, processor, groups=slices)[0]

    def value(params, batch: Batch):
        return loss(*embed_slices(encoder, params, batch.texts, jax.random.key(1), slices), batch)

    gradient = jax.jit(jax.grad(value)).lower(params, batch).compile()
    wall, cpu = time.perf_counter(), time.process_time()
    found = jax.device_get(gradient(params, batch))
    return {
        "seconds": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "gradients": np.concatenate([np.ravel(x)[:99] for x in jax.tree.leaves(found)]).tolist(),
    }


if __name__ == "__main__":
    main(tyro.cli(Settings))
