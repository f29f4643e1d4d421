"""The table of losses, and the batches on which the tests of this folder call them.

A loss is compiled once for the shapes of its arrays and the names of its options, value, gradients
and rows in one program; numbers are arguments. So tests of every loss use the shapes of `batch()`
wherever the property allows it, and compare with the float64 loop, which compiles nothing, rather
than with ours on other shapes. That a loss called without `jit` is the same is in test_devices.py.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import softnce_jax as ours_of
from tests import reference


class Row(NamedTuple):
    """A loss as the tests call it: its function, its target and its settings."""

    function: str
    target: str | None
    settings: dict


LOSSES = {
    "infonce": Row("infonce", None, {}),
    "soft_infonce": Row("soft_infonce", "w", {}),
    "cosine": Row("soft_infonce", "w", {"cosine": True, "scale": 4.0}),
    "symmetric": Row("soft_infonce", "w", {"symmetric": True}),
    "symmetric infonce": Row("infonce", None, {"symmetric": True, "cosine": True}),
    "weighted_infonce": Row("weighted_infonce", "p", {}),
    "bce": Row("bce", "p", {}),
    "kl_regularized": Row("kl_regularized", "p", {"alpha": 0.7, "beta": 1.3}),
    "cancel_top_k": Row("cancel_top_k", "similarity", {"k": 2}),
    "cancel_threshold": Row("cancel_threshold", "similarity", {"ratio": 0.8}),
}
SYMMETRIC = [name for name, row in LOSSES.items() if "symmetric" in row.settings]
every_loss = pytest.mark.parametrize("name", LOSSES)
every_one_way_loss = pytest.mark.parametrize("name", [n for n in LOSSES if n not in SYMMETRIC])


def batch(rows=5, candidates=7, size=1.0, seed=0):
    """Embeddings and a target, a third of it 0."""
    random = np.random.default_rng(seed)
    q = random.normal(size=(rows, 4)) * size
    c = random.normal(size=(candidates, 4))
    target = random.uniform(0.2, 2.0, size=(rows, candidates))
    target[random.uniform(size=target.shape) < 0.33] = 0.0
    return tuple(x.astype(np.float32) for x in (q, c, target))


def arrays(name, q, c, target):
    """What the loss takes by position: p is at most 1, and no two similarities are equal."""
    made = {
        None: (),
        "w": (target,),
        # The true slope of p log p at 0 is infinite.
        "p": (target / 4 + np.float32(0.05 if name == "kl_regularized" else 0),),
        "similarity": (target + np.linspace(0.1, 0, target.size, dtype="f").reshape(target.shape),),
    }
    return (q, c, *made[LOSSES[name].target])


def function(name):
    """Ours, with its settings; options given win."""
    row = LOSSES[name]
    return lambda *parts, **options: getattr(ours_of, row.function)(
        *parts, **{**row.settings, **options}
    )


STATIC = {"k", "cosine", "symmetric"}


class Result(NamedTuple):
    """What a loss gives."""

    value: jax.Array
    gradients: tuple  # in the arrays that it takes by position
    scale_gradient: dict  # in the scale, where one is given
    rows: jax.Array
    total: jax.Array


def at_once(loss_B, **mask):
    """A `reduce_fn`: the mean, the sum and every row, of one call of the loss."""
    reduced = [reduce(loss_B, **mask) for reduce in (jnp.mean, jnp.sum)]
    return jnp.concatenate([jnp.stack(reduced), loss_B])


@functools.cache
def compiled(name, *, apart, **static):
    """(arrays by position, the scale if given, other options) -> the Result, from one program.

    With `apart` the loss is called once for each way to reduce it, as users call it.
    """

    def loss(parts, scale, options, **reduction):
        return function(name)(*parts, **scale, **options, **static, **reduction)

    def value(*given):
        if apart:
            return loss(*given), None
        mean, total, *rows = loss(*given, reduce_fn=at_once)
        return mean, (jnp.stack(rows), total)

    @jax.jit
    def run(*given):
        (mean, found), gradients = jax.value_and_grad(value, (0, 1), has_aux=True)(*given)
        rows, total = found or (loss(*given, reduce_fn=None), loss(*given, reduce_fn=jnp.sum))
        return Result(mean, *gradients, rows, total)

    return run


# Every loss is called apart without options and with all. The program that reduces at once is less.
APART = [set(), {"positive", "where", "scale"}]


def result(name, *parts, **options):
    static = {k: v for k, v in options.items() if k in STATIC}
    scale = {k: jnp.float32(v) for k, v in options.items() if k == "scale"}
    others = {
        k: jnp.asarray(v) if np.ndim(v) else jnp.float32(v)
        for k, v in options.items()
        if k not in STATIC | {"scale"}
    }
    arrays = tuple(jnp.asarray(x, jnp.float32) for x in parts)
    apart = set(options) - STATIC in APART
    return compiled(name, apart=apart, **static)(arrays, scale, others)


def ours(name, *parts, **options):
    return result(name, *parts, **options).value


def ours_rows(name, *parts, **options):
    return result(name, *parts, **options).rows


def gradients(name, *parts, **options):
    return result(name, *parts, **options).gradients


def loop_rows(name, *parts, **options):
    row = LOSSES[name]
    return getattr(reference, row.function)(*parts, **{**row.settings, **options})


def loop(name, *parts, **options):
    return reference.mean(loop_rows(name, *parts, **options))


def masks():
    """Rows out, and pairs out (one row, one column and some entries)."""
    rows = np.array([True, False, True, True, False])
    pairs = np.random.default_rng(3).uniform(size=(5, 7)) > 0.3
    pairs[2], pairs[:, 5], pairs[3, 3], pairs[0, 0], pairs[4, 4] = False, False, False, True, True
    return rows, pairs


OPTIONS = {
    "plain": {},
    "scaled": {"scale": 3.0},
    "positive": {"positive": np.array([6, 0, 0, 3, 5])},
    "rows": {"where": masks()[0]},
    "pairs": {"where": masks()[1]},
    "all": {"where": masks()[1], "positive": np.array([6, 0, 0, 4, 1]), "scale": 0.5},
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
