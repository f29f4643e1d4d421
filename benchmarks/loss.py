"""The loss alone, forward and backward: dense, block-wise, plain; time over bare products, memory.

    python benchmarks/loss.py --rows 1024 2048 4096 8192

The bare products are what no form can do without: scores, dq and dc, and the estimator's similarity
where there are weights, 3 or 4 products of 2 N² D floating-point operations. They are multiplied in
blocks of up to 2,048 rows, and nothing else is done.
"""

from __future__ import annotations

import dataclasses
import functools
import platform
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from tqdm import tqdm

from softnce_jax import blockwise_soft_infonce, infonce, negative_weights, soft_infonce
from softnce_jax._scores import scores

EQ4 = {"alpha": 1.3, "beta": 0.7, "temperature": 0.1, "floor": 0.1}
DENSE_UP_TO = 2**13  # rows: a matrix of 256 MiB, of which a few are alive at once


@dataclasses.dataclass(frozen=True)
class Settings:
    """Measures each form of the loss at each number of rows."""

    rows: tuple[int, ...] = (1024, 2048, 4096, 8192)
    """B = N."""
    width: int = 768
    """D, and F of the estimator's features."""
    rounds: int = 5
    """Runs of each form, taking turns."""
    compile_only: tuple[int, ...] = (65536,)
    """Rows at which only the memory is told; there are no dense forms beyond 8,192."""


def dense(q, c, a, b):
    """Soft-InfoNCE from matrices."""
    return soft_infonce(q, c, negative_weights(scores(a, b, 1.0), **EQ4))


def blockwise(q, c, a, b):
    """Soft-InfoNCE from features."""
    return blockwise_soft_infonce(q, c, (a, b), **EQ4)


def plain(q, c, *_):
    """InfoNCE as it is usually written."""
    labels = jnp.arange(len(q))
    return optax.softmax_cross_entropy_with_integer_labels(scores(q, c, 1.0), labels).mean()


def dense_infonce(q, c, *_):
    """Ours, from a matrix."""
    return infonce(q, c)


def blockwise_infonce(q, c, *_):
    """Ours, without a matrix."""
    return blockwise_soft_infonce(q, c)


# The form, its products, whether it has a matrix (B, N).
FORMS = {
    "Soft-InfoNCE, dense": (dense, 4, True),
    "Soft-InfoNCE, block-wise": (blockwise, 4, False),
    "InfoNCE, optax": (plain, 3, True),
    "InfoNCE, dense": (dense_infonce, 3, True),
    "InfoNCE, block-wise": (blockwise_infonce, 3, False),
}


def bare(products: int, q, c, a, b):
    """The products alone."""
    height = min(len(q), 2048)

    def block(carry, rows):
        q_R, a_R = rows
        s = scores(q_R, c, 1.0)
        # Carried along, or it would not be multiplied.
        t = scores(a_R, b, 1.0) if products == 4 else None
        return (carry[0] + scores(s.T, q_R.T, 1.0), t), scores(s, c.T, 1.0)

    blocks = [x.reshape(-1, height, x.shape[1]) for x in (q, a)]
    t = jnp.zeros((height, len(c))) if products == 4 else None
    return jax.lax.scan(block, (jnp.zeros_like(c), t), blocks)


def steps(rows: int) -> dict[str, tuple[Callable, int]]:
    """What is run at so many rows, and how many products it has."""
    forms = {
        name: (jax.value_and_grad(form, (0, 1)), products)
        for name, (form, products, matrix) in FORMS.items()
        if rows <= DENSE_UP_TO or not matrix
    }
    return {f"bare {n}": (functools.partial(bare, n), n) for n in (3, 4)} | forms


def megabytes(step: Callable, rows: int, width: int) -> float:
    """Temporary memory of the compiled step; nothing is run."""
    shape = jax.ShapeDtypeStruct((rows, width), jnp.float32)
    compiled = jax.jit(step).lower(*[shape] * 4).compile()
    return compiled.memory_analysis().temp_size_in_bytes / 1e6


def measure(chosen: dict[str, Callable], arrays, rounds: int) -> dict[str, np.ndarray]:
    """(rounds, 2) wall-clock and CPU seconds; the order turns, the first round is dropped."""
    jitted = {name: jax.jit(step) for name, step in chosen.items()}
    names, seconds = list(jitted), {name: [] for name in jitted}
    for n in tqdm(range(rounds + 1), desc=f"{len(arrays[0])} rows"):
        for name in np.roll(names, n):
            wall, cpu = time.perf_counter(), time.process_time()
            jax.block_until_ready(jitted[name](*arrays))
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: np.array(values[1:]) for name, values in seconds.items()}


def main(settings: Settings) -> None:
    """Prints the table."""
    device = jax.devices()[0].device_kind
    about = f"Python {platform.python_version()}, jax {jax.__version__}, optax {optax.__version__}"
    print(f"{platform.machine()}, {device}, {about}, {settings}\n")
    print("| rows | form | MB | wall, s | over bare | quartiles | CPU, s | over bare | quartiles |")
    print("|---" * 9 + "|")
    for rows in settings.rows:
        report(rows, settings)
    for rows in settings.compile_only:
        for name, (step, _) in steps(rows).items():
            if not name.startswith("bare"):
                print(f"| {rows} | {name} | {megabytes(step, rows, settings.width):.0f} |"
                      + " |" * 6)  # fmt: skip


def report(rows: int, settings: Settings) -> None:
    """The lines of so many rows."""
    random = np.random.default_rng(0)
    arrays = random.normal(size=(4, rows, settings.width)).astype(np.float32)
    arrays = [jnp.asarray(x) for x in arrays / np.sqrt(settings.width)]
    chosen = steps(rows)
    seconds = measure({n: step for n, (step, _) in chosen.items()}, arrays, settings.rounds)
    for name, (step, products) in chosen.items():
        values, base = seconds[name], seconds[f"bare {products}"]
        middle = np.median(values, axis=0)
        ratio = middle / np.median(base, axis=0)
        low, high = np.quantile(values / base, (0.25, 0.75), axis=0)
        cells = [f"{middle[i]:.3f} | {ratio[i]:.2f} | {low[i]:.2f}–{high[i]:.2f}" for i in (0, 1)]
        memory = f"{megabytes(step, rows, settings.width):.0f}"
        print(f"| {rows} | {name} | {memory} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Settings))
