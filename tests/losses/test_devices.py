"""One number however it is computed: eager, jit, sharded, shard_map, pmap.

Compared are the value and the gradients of a small tower's parameters, after the reduction that
the losses document: the mean over devices, or with a mask the sum over the count.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from softnce_jax import infonce, negative_weights, soft_infonce, without_duplicates
from tests.losses.table import LOSSES, function

DEVICES, B, N = 4, 8, 12
# Each device holds 2 queries and 3 candidates: theirs, and one explicit hard negative.
POSITIVE = np.array([0, 1, 3, 4, 6, 7, 9, 10])
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(B, 5)), RANDOM.normal(size=(N, 5))
W = RANDOM.uniform(0.0, 2.0, size=(B, N))
PARAMS = {
    "query": jnp.asarray(RANDOM.normal(size=(5, 3)), jnp.float32),
    "code": jnp.asarray(RANDOM.normal(size=(5, 3)), jnp.float32),
}
ROWS = np.array([True, True, True, False, False, False, False, True])  # one device without any
PAIRS = (RANDOM.uniform(size=(B, N)) > 0.3) & ROWS[:, None]
PAIRS[ROWS, POSITIVE[ROWS]] = True

WHERE = {"none": None, "rows": ROWS, "pairs": PAIRS}
AXES = {"auto": AxisType.Auto, "explicit": AxisType.Explicit}
# The losses of each mask that run in every way, in one program each way.
BASIC = {"none": ("infonce", "soft_infonce"), "rows": ("infonce",), "pairs": ("soft_infonce",)}
every_mask = pytest.mark.parametrize("mask", WHERE)
# The others, each under `jit` and `shard_map`.
OTHERS = [name for name in LOSSES if name not in ("infonce", "soft_infonce")]
NAMES = {mask: BASIC[mask] + (tuple(OTHERS) if mask != "rows" else ()) for mask in WHERE}
none_or_pairs = pytest.mark.parametrize("mask", ["none", "pairs"])
every_mapper = pytest.mark.parametrize("mapper", ["pmap", "shard_map"])


def data(mask):
    """The batch as a dictionary of arrays, queries' rows first."""
    batch = {"x": X, "y": Y, "w": W}
    batch = {k: jnp.asarray(v, jnp.float32) for k, v in batch.items()}
    return batch if WHERE[mask] is None else {**batch, "where": jnp.asarray(WHERE[mask])}


def loss(params, batch, *, name, **options):
    """A tower of one layer each and a loss on top."""
    q, c = jnp.tanh(batch["x"] @ params["query"]), batch["y"] @ params["code"]
    target = () if LOSSES[name].target is None else (batch["w"],)
    return function(name)(q, c, *target, where=batch.get("where"), **options)


def values_and_gradients(params, batch, *, names, **options):
    """Of each loss by its name, the value and the gradients of the parameters."""
    losses = {name: functools.partial(loss, name=name, **options) for name in names}
    return {name: jax.value_and_grad(of)(params, batch) for name, of in losses.items()}


def on_one_device(names):
    """(params, the global batch) -> the values and gradients."""
    positive = jnp.asarray(POSITIVE)
    return functools.partial(values_and_gradients, names=names, positive=positive)


@functools.cache
def every_expected(mask):
    return jax.jit(on_one_device(NAMES[mask]))(PARAMS, data(mask))


def expected(mask, names):
    return {name: every_expected(mask)[name] for name in names}


def assert_same(got, wanted):
    def same(path, a, b):
        np.testing.assert_allclose(a, b, 3e-6, 1e-6, err_msg=jax.tree_util.keystr(path))

    jax.tree.map_with_path(same, got, wanted)


def assert_different(got, wanted):
    gaps = jax.tree.map(lambda a, b: np.abs(a - b).max(), got, wanted)
    assert min(jax.tree.leaves(gaps)) > 1e-3


def sums(name, **options):
    """(params, a device's batch) -> the sum of its rows' losses, which never crosses devices."""
    return lambda p, batch: jnp.sum(loss(p, batch, name=name, reduce_fn=None, **options))


def count(batch):
    """How many rows count on all devices together; none left out here but by `where`."""
    rows = batch.get("where", jnp.ones(B // DEVICES, bool))
    rows = rows if rows.ndim == 1 else jnp.any(rows, axis=1)
    return jnp.maximum(lax.psum(jnp.sum(rows, dtype=jnp.float32), "data"), 1)


def gradient_inside(params, batch, **options):
    """The pmap idiom without a mask: value and gradients, then their mean over devices."""
    return lax.pmean(values_and_gradients(params, batch, **options), "data")


def masked_gradient_inside(params, batch, *, names, **options):
    """The pmap idiom with a mask: sums over devices, then divided by the count."""
    steps = {name: jax.value_and_grad(sums(name, **options)) for name in names}
    total = lax.psum({name: step(params, batch) for name, step in steps.items()}, "data")
    return jax.tree.map(lambda x: x / count(batch), total)


def shard_map(function, batch, **options):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    specs = (P(), jax.tree.map(lambda _: P("data"), batch))
    return jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=P(), **options)


def run(mapper, body, batch, **options):
    """The body's result on every device, which `pmap` returns once each."""
    body = functools.partial(body, **options)
    if mapper == "shard_map":
        return jax.jit(shard_map(body, batch, check_vma=False))(PARAMS, batch)
    split = jax.tree.map(lambda x: x.reshape(DEVICES, -1, *x.shape[1:]), batch)
    result = jax.pmap(body, axis_name="data", in_axes=(None, 0))(PARAMS, split)
    return jax.tree.map(lambda x: x[0], result)


def put_global(batch, mesh):
    return jax.tree.map(lambda x: jax.device_put(x, NamedSharding(mesh, P("data"))), batch)


@every_mask
def test_without_jit(mask):
    """Each primitive by itself; what is expected everywhere comes from one program."""
    found = on_one_device(BASIC[mask])(PARAMS, data(mask))
    assert_same(found, expected(mask, BASIC[mask]))


@pytest.mark.slow
@none_or_pairs
def test_other_losses_without_jit(mask):
    names = tuple(OTHERS)
    assert_same(on_one_device(names)(PARAMS, data(mask)), expected(mask, names))


@every_mask
@pytest.mark.parametrize("axes", ["auto", pytest.param("explicit", marks=pytest.mark.slow)])
def test_jit_of_sharded_arrays(mask, axes):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AXES[axes],))
    batch = put_global(data(mask), mesh)
    assert len(batch["x"].sharding.device_set) == DEVICES
    step, wanted = jax.jit(on_one_device(NAMES[mask])), every_expected(mask)
    with jax.set_mesh(mesh):
        params = jax.device_put(PARAMS, NamedSharding(mesh, P()))
        assert_same(step(params, batch), wanted)
        assert_different(step(params, {**batch, "y": batch["y"][::-1]}), wanted)


@pytest.mark.parametrize("axes", AXES)
def test_embeddings_of_a_users_mesh(axes):
    """Sharded embeddings straight into the loss: no mesh set, any spec, also without jit."""
    mesh = jax.make_mesh((2, 2), ("data", "model"), axis_types=(AXES[axes],) * 2)
    parts = [jnp.asarray(x, jnp.float32) for x in (X, Y, W)]
    loss = functools.partial(soft_infonce, positive=jnp.asarray(POSITIVE))
    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))
    wanted = step(*parts)
    for specs in [
        (P("data"), P("data"), P("data")),
        (P("data"), P("model"), P("data", "model")),
        (P(None), P(("data", "model")), P(None, "data")),
    ]:
        placed = [
            jax.device_put(x, NamedSharding(mesh, s)) for x, s in zip(parts, specs, strict=True)
        ]
        assert_same(step(*placed), wanted)
    np.testing.assert_allclose(loss(*placed), wanted[0], rtol=1e-6)


@every_mask
@every_mapper
def test_gradient_inside_the_map(mask, mapper):
    body = gradient_inside if mask == "none" else masked_gradient_inside
    # The other losses under one mapper: theirs is the same gather.
    names = BASIC[mask] if mapper == "pmap" else NAMES[mask]
    result = run(mapper, body, data(mask), names=names, axis_name="data")
    assert_same(result, expected(mask, names))


@every_mapper
def test_a_forgotten_gather_differs(mapper):
    names = ("infonce",)
    result = run(mapper, gradient_inside, data("none"), names=names)
    assert_different(result, expected("none", names))
    result = run(mapper, masked_gradient_inside, data("rows"), names=names)
    assert_different(result, expected("rows", names))
    with pytest.raises(ValueError, match=r"w has shape \(2, 12\).*\(2, 3\)"):
        run(mapper, gradient_inside, data("none"), names=("soft_infonce",))


def test_a_forgotten_gather_of_other_losses_differs():
    """A device's targets are those of its own candidates."""
    blocks = np.asarray(W, np.float32).reshape(DEVICES, 2, DEVICES, 3)
    local = data("none") | {"w": jnp.concatenate([blocks[k, :, k] for k in range(DEVICES)])}
    names = tuple(name for name in OTHERS if name != "cancel_top_k")
    result = run("shard_map", gradient_inside, local, names=names)
    assert_different(result, expected("none", names))
    # It would cancel all of the two negatives.
    with pytest.raises(ValueError, match="k is 2, but a row has 2 negatives"):
        run("shard_map", gradient_inside, local, names=("cancel_top_k",))


def test_the_mean_of_masked_means_differs():
    names = ("infonce",)
    result = run("shard_map", gradient_inside, data("rows"), names=names, axis_name="data")
    assert_different(result, expected("rows", names))


@every_mask
@pytest.mark.parametrize("gradient", ["inside", "outside"])
def test_reduced_loss_in_shard_map(mask, gradient):
    """With shard_map's default checks: reduce the value, then differentiate, inside or outside."""
    batch = data(mask)

    def step(name):
        def value(params, part):
            return lax.psum(sums(name, axis_name="data")(params, part), "data") / count(part)

        if gradient == "inside":
            return shard_map(jax.value_and_grad(value), batch)
        return jax.value_and_grad(shard_map(value, batch))

    steps = {name: step(name) for name in BASIC[mask]}
    result = jax.jit(lambda *given: {name: run(*given) for name, run in steps.items()})(
        PARAMS, batch
    )
    assert_same(result, expected(mask, BASIC[mask]))


def test_an_axis_of_two_names():
    mesh = jax.make_mesh((2, 2), ("host", "chip"), axis_types=(AxisType.Auto,) * 2)
    names, batch = ("host", "chip"), data("none")
    specs = (P(), jax.tree.map(lambda _: P(names), batch))

    def value(params, part):
        return lax.pmean(loss(params, part, name="soft_infonce", axis_name=names), names)

    step = jax.value_and_grad(jax.shard_map(value, mesh=mesh, in_specs=specs, out_specs=P()))
    assert_same(jax.jit(step)(PARAMS, batch), every_expected("none")["soft_infonce"])


def test_a_map_over_one_axis_of_an_explicit_mesh():
    mesh = jax.make_mesh((2, 2), ("data", "model"))
    x, y = jnp.asarray(X, jnp.float32), jnp.asarray(Y[:B], jnp.float32)

    def value(q, c):
        return lax.pmean(infonce(q, c, axis_name="data"), "data")

    step = jax.shard_map(value, in_specs=P("data"), out_specs=P(), axis_names={"data"})
    with jax.set_mesh(mesh):
        parts = jax.device_put((x, y), NamedSharding(mesh, P("data")))
        np.testing.assert_allclose(jax.jit(step)(*parts), jax.jit(infonce)(x, y), rtol=1e-6)


SOME = ("symmetric", "cancel_top_k")


def test_pmap_of_other_losses():
    result = run("pmap", gradient_inside, data("none"), names=SOME, axis_name="data")
    assert_same(result, expected("none", SOME))


def test_other_losses_on_an_axis_of_two_names():
    """With shard_map's own checks; the gradient taken outside."""
    mesh = jax.make_mesh((2, 2), ("host", "chip"), axis_types=(AxisType.Auto,) * 2)
    axes, batch = ("host", "chip"), data("pairs")
    specs = (P(), jax.tree.map(lambda _: P(axes), batch))

    def step(name):
        def value(params, part):
            rows = jnp.sum(jnp.any(part["where"], axis=1), dtype=jnp.float32)
            return lax.psum(sums(name, axis_name=axes)(params, part), axes) / lax.psum(rows, axes)

        return jax.value_and_grad(jax.shard_map(value, mesh=mesh, in_specs=specs, out_specs=P()))

    steps = {name: step(name) for name in SOME}
    result = jax.jit(lambda *given: {name: run(*given) for name, run in steps.items()})(
        PARAMS, batch
    )
    assert_same(result, expected("pairs", SOME))


def test_both_directions_on_a_map_over_one_axis_of_an_explicit_mesh():
    mesh = jax.make_mesh((2, 2), ("data", "model"))
    x, y = jnp.asarray(X, jnp.float32), jnp.asarray(Y[:B], jnp.float32)

    def value(q, c):
        return lax.pmean(infonce(q, c, symmetric=True, axis_name="data"), "data")

    step = jax.shard_map(value, in_specs=P("data"), out_specs=P(), axis_names={"data"})
    with jax.set_mesh(mesh):
        parts = jax.device_put((x, y), NamedSharding(mesh, P("data")))
        wanted = jax.jit(functools.partial(infonce, symmetric=True))(x, y)
        np.testing.assert_allclose(jax.jit(step)(*parts), wanted, rtol=1e-6)


@pytest.mark.parametrize("by_default", [True, False], ids=["by default", "given"])
def test_duplicates(by_default):
    """Rows of a device with global columns, and sharded keys, find the duplicates of all."""
    queries, codes = jnp.array([1, 2, 1, 3, 4, 2, 5, 1]), jnp.array([*range(6), 0, 1, *range(2, 6)])
    positive = None if by_default else jnp.asarray(POSITIVE)
    answers = None if by_default else jnp.stack([codes + 1, codes[::-1]], axis=1)
    if by_default:
        codes = codes[:B]
    whole = jax.jit(without_duplicates)(queries, codes, answers=answers, positive=positive)
    assert not whole.all()
    for kind in AXES.values():
        mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(kind,))
        parts = put_global((queries, codes, answers, positive), mesh)
        sharded = jax.jit(lambda q, c, a, p: without_duplicates(q, c, answers=a, positive=p))
        np.testing.assert_array_equal(sharded(*parts), whole)

        def mapped(q, c, a, p, axis_name="data"):
            return without_duplicates(q, c, answers=a, positive=p, axis_name=axis_name)

        split = {"mesh": mesh, "in_specs": P("data"), "out_specs": P("data")}
        np.testing.assert_array_equal(jax.jit(jax.shard_map(mapped, **split))(*parts), whole)
    if by_default:  # The control: without a gather no device sees two of a kind.
        pairs = np.asarray(queries).reshape(4, 2), np.asarray(codes).reshape(4, 2)
        assert jax.jit(jax.vmap(without_duplicates))(*pairs).all()


@none_or_pairs
def test_weights(mask):
    """Rows of a device with global columns, and sharded similarities, give the weights of one."""
    settings = {"alpha": 1.3, "beta": 0.7, "temperature": 0.5}
    values, positive = jnp.asarray(W, jnp.float32), jnp.asarray(POSITIVE)
    where = None if WHERE[mask] is None else jnp.asarray(WHERE[mask])

    def weights(values, positive, where):
        return negative_weights(values, positive=positive, where=where, **settings)

    whole = jax.jit(weights)(values, positive, where)
    assert np.ptp(whole[0]) > 0.1
    for kind in AXES.values():
        mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(kind,))
        parts = put_global((values, positive, where), mesh)
        np.testing.assert_allclose(jax.jit(weights)(*parts), whole, rtol=1e-6)
        mapped = jax.shard_map(weights, mesh=mesh, in_specs=P("data"), out_specs=P("data"))
        np.testing.assert_allclose(jax.jit(mapped)(*parts), whole, rtol=1e-6)


def test_vmap():
    stack = jax.tree.map(lambda x: np.stack([x, 2 * x]), data("none"))

    def values(params, batch):
        positive = jnp.asarray(POSITIVE)
        return {name: loss(params, batch, name=name, positive=positive) for name in BASIC["none"]}

    whole = jax.jit(values)
    one = [whole(PARAMS, jax.tree.map(lambda x, k=k: x[k], stack)) for k in range(2)]
    mapped = jax.jit(jax.vmap(values, in_axes=(None, 0)))(PARAMS, stack)
    for name, value in mapped.items():
        np.testing.assert_allclose(value, [one[0][name], one[1][name]], rtol=1e-6)
        assert abs(one[0][name] - one[1][name]) > 1e-2
