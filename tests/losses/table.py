"""The table of losses, and the batches on which the tests of this folder call them.

The losses run eagerly: each primitive is compiled once for a shape and shared by all losses. So
tests of every loss use the shapes of `batch()` wherever the property allows it, and compare with
the float64 loop, which compiles nothing, rather than with ours on other shapes.
"""

from __future__ import annotations

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


def ours(name, *parts, **options):
    options = {k: jnp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    return function(name)(*(jnp.asarray(x, jnp.float32) for x in parts), **options)


def loop_rows(name, *parts, **options):
    row = LOSSES[name]
    return getattr(reference, row.function)(*parts, **{**row.settings, **options})


def loop(name, *parts, **options):
    return reference.mean(loop_rows(name, *parts, **options))


def gradients(name, *parts, **options):
    which = tuple(range(len(parts)))
    return jax.grad(lambda *x: ours(name, *x, **options), which)(
        *(jnp.asarray(x, jnp.float32) for x in parts)
    )


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
