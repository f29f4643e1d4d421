"""Sizes at their edges: no rows at all, and sizes that `jax.export` leaves open until run time."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from softnce_jax import (
    blockwise_soft_infonce,
    infonce,
    negative_distribution,
    negative_weights,
    soft_infonce,
    without_duplicates,
)
from tests.losses.table import LOSSES, arrays, batch, function

EQ4 = {"alpha": 1.3, "beta": 0.7, "temperature": 1.0}


def of_table(name):
    """A loss of q, c and what its target is made of."""
    return lambda q, c, x, **options: function(name)(
        q, c, *([] if LOSSES[name].target is None else [x]), **options
    )


def weighted(q, c, x, **options):
    return soft_infonce(q, c, negative_weights(x, **EQ4), **options)


def distributed(q, c, x, **options):
    p = negative_distribution(x, temperature=1.0)
    return function("weighted_infonce")(q, c, p, **options)


def without_twins(q, c, x, **options):
    keys = [jnp.argmax(row, axis=1) for row in (q, c)]
    return infonce(q, c, where=without_duplicates(*keys), **options)


def blockwise(form):
    forms = {
        "none": lambda q, c, x: (),
        "features": lambda q, c, x: ((q, c),),
        "matrix": lambda q, c, x: (x,),
        "function": lambda q, c, x: (lambda rows: x[rows],),
    }
    return lambda q, c, x, **options: blockwise_soft_infonce(
        q, c, *forms[form](q, c, x), **EQ4, **options
    )


def blockwise_where(q, c, x, **options):
    return blockwise_soft_infonce(q, c, x, where=x >= 0, cosine=True, **EQ4, **options)


EVERY = {name: of_table(name) for name in LOSSES} | {
    "weights": weighted,
    "distribution": distributed,
    "duplicates": without_twins,
    "blockwise": blockwise("none"),
    "blockwise features": blockwise("features"),
    "blockwise matrix": blockwise("matrix"),
    "blockwise function": blockwise("function"),
    "blockwise where": blockwise_where,
}


@pytest.mark.parametrize("name", EVERY)
def test_no_rows(name):
    """A process's share of the last batch: no losses, their sum 0, their mean undefined."""
    loss, parts = EVERY[name], [jnp.zeros(shape) for shape in ((0, 4), (4, 4), (0, 4))]

    @jax.jit
    def run(*parts):
        total = jax.value_and_grad(lambda *parts: loss(*parts, reduce_fn=jnp.sum), (0, 1))
        mean = jax.value_and_grad(loss, 1)
        return loss(*parts, reduce_fn=None), total(*parts), mean(*parts)

    rows, (total, slopes), (mean, slope) = run(*parts)
    assert rows.shape == (0,) and rows.dtype == jnp.float32 and total == 0 and np.isnan(mean)
    assert slopes[0].shape == (0, 4) and not slopes[1].any() and not slope.any()


@pytest.mark.parametrize(
    "names", [("weights", "blockwise features"), pytest.param(EVERY, marks=pytest.mark.slow)]
)
def test_sizes_that_are_open_until_run_time(names):
    """Exported for any batch size, a loss is what `jit` gives, value and gradient."""
    (b,) = export.symbolic_shape("b", constraints=["b >= 3"])  # two of its negatives are cancelled
    q, c, x = batch(candidates=5)
    parts = [jnp.asarray(part) for part in (q, c, arrays("cancel_top_k", q, c, x)[2] / 4)]

    def every(*parts):
        return {name: jax.value_and_grad(EVERY[name], (0, 1))(*parts) for name in names}

    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((b, 4), (b, 4), (b, b))]
    exported = export.export(jax.jit(every))(*shapes)
    found, wanted = exported.call(*parts), jax.jit(every)(*parts)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 2e-5, 1e-6), found, wanted)
    assert all(value > 0 for value, _ in found.values())


def test_rows_and_candidates_may_be_open_apart():
    b, n = export.symbolic_shape("b, n")
    q, c, x = (jnp.asarray(part) for part in batch())
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((b, 4), (n, 4), (b, n))]
    exported = export.export(jax.jit(weighted))(*shapes)
    np.testing.assert_allclose(exported.call(q, c, x), jax.jit(weighted)(q, c, x), rtol=1e-6)


def test_an_open_size_hides_no_known_mistake():
    (b,) = export.symbolic_shape("b")
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((b, 4), (b, 4), (b, b))]
    with pytest.raises(ValueError, match="k is -1"):
        export.export(jax.jit(functools.partial(function("cancel_top_k"), k=-1)))(*shapes)
