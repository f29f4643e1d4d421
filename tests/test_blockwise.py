"""The block-wise loss is the dense one: value, gradients, masks, devices; and its memory."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from softnce_jax import blockwise_soft_infonce, negative_weights, registry, soft_infonce
from tests import reference

B, N, D, F = 13, 17, 6, 4
EQ4 = {"alpha": 1.3, "beta": 0.7, "temperature": 0.5, "floor": 0.1}
HEIGHTS = (1, 4, 20, None)  # one row, a number that does not divide, more than all; None is all


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        yield


def batch():
    random = np.random.default_rng(0)
    q, c = random.normal(size=(B, D)), random.normal(size=(N, D))
    a, b = random.normal(size=(B, F)), random.normal(size=(N, F))
    return [jnp.asarray(x, jnp.float32) for x in (q, c, a, b)]


def dense(q, c, a, b, scale=1.0, *, positive=None, where=None, eq4=EQ4, **options):
    w = negative_weights(a @ b.T, positive=positive, where=where, **eq4)
    return soft_infonce(q, c, w, positive=positive, where=where, scale=scale, **options)


def blockwise(q, c, a, b, scale=1.0, *, form="features", eq4=EQ4, **options):
    forms = {
        "features": lambda: (a, b),
        "matrix": lambda: a @ b.T,
        "function": lambda: lambda rows: a[rows] @ b.T,
    }
    return blockwise_soft_infonce(q, c, forms[form](), scale=scale, **eq4, **options)


@functools.cache
def compiled(function, heights=(None,), **static):
    """(arrays, scale, options) -> value and gradients in q, c and scale, by the rows of a block.

    Numbers are traced, and one program has all heights.
    """

    def step(height):
        block = {} if function is dense else {"block_rows": height}

        def value(q, c, a, b, scale, options):
            return function(q, c, a, b, scale, **options, **static, **block)

        return jax.value_and_grad(value, (0, 1, 4))

    steps = {height: step(height) for height in heights}
    run = jax.jit(lambda *given: [step(*given) for step in steps.values()])
    return lambda arrays, scale, options: dict(
        zip(steps, run(*arrays, jnp.float32(scale), options), strict=True)
    )


def both(arrays, scale=1.0, *, form="features", heights=HEIGHTS, eq4=EQ4, where=None,
         positive=None, **static):  # fmt: skip
    """Values and gradients in q, c and scale, of the block-wise loss, by height, and the dense."""
    given = arrays, scale, {"eq4": eq4, "where": where, "positive": positive}
    ours = compiled(blockwise, heights, form=form, **static)(*given)
    return ours, compiled(dense, **static)(*given)[None]


def assert_all_same(results, wanted):
    """The result of every height is the one wanted."""
    for height, result in results.items():
        assert_same(result, wanted, height=height)


def assert_same(result, wanted, *, height=None):
    for ours, theirs in zip(jax.tree.leaves(result), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-5, 1e-5, err_msg=f"blocks of {height} rows")


def some_rows():
    return jnp.asarray(np.arange(B) % 3 > 0)


def some_pairs():
    """Rows left out, a column that none uses, a row that loses its positive."""
    where = np.random.default_rng(1).uniform(size=(B, N)) > 0.3
    where[np.arange(B), np.arange(B)] = True
    where[3] = where[:, 15] = where[5, 5] = False
    return jnp.asarray(where)


CASES = {
    "plain": {},
    "rows left out": {"where": some_rows()},
    "pairs left out": {"where": some_pairs()},
    "positives": {"positive": jnp.asarray((np.arange(B) * 5 + 2) % N)},
    "cosine": {"cosine": True, "scale": 7.0},
    "sum": {"reduce_fn": jnp.sum},
    "no floor": {"eq4": EQ4 | {"floor": 0.0, "alpha": 8.0, "temperature": 0.05}},
    "scale": {"scale": 0.25},
    "together": {
        "where": some_rows(),
        "positive": jnp.asarray((np.arange(B) * 5 + 2) % N),
        "cosine": True,
        "scale": 7.0,
        "reduce_fn": jnp.sum,
    },
}


# What is in "together" meets the other heights there.
IN_TOGETHER = ("rows left out", "positives", "cosine", "sum")


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradients_are_the_dense_ones(case):
    heights = (4,) if case in IN_TOGETHER else HEIGHTS
    results, wanted = both(batch(), heights=heights, **CASES[case])
    assert tuple(results) == heights
    assert_all_same(results, wanted)


def test_without_jit():
    loss = functools.partial(blockwise, block_rows=4)
    value, slopes = jax.value_and_grad(loss, (0, 1))(*batch())
    _, wanted = both(batch())
    assert_same((value, slopes), (wanted[0], wanted[1][:2]))


def test_the_value_is_that_of_the_loop():
    q, c, a, b = batch()
    w = reference.negative_weights(np.float64(a) @ np.float64(b).T, **EQ4)
    slow = reference.mean(reference.soft_infonce(np.float64(q), np.float64(c), w))

    def value(**changed):
        return both([q, c, a, b], eq4=EQ4 | changed)[0][4][0]

    np.testing.assert_allclose(value(), slow, rtol=1e-6)
    for changed in ({"alpha": 1.0}, {"temperature": 1.0}, {"floor": 0.9}):
        assert abs(float(value(**changed)) - slow) > 1e-3


@pytest.mark.parametrize("form", ["features", "matrix", "function"])
def test_every_form_of_the_similarity(form):
    for case in ("plain", "pairs left out"):
        heights = HEIGHTS if form == "features" else (4,)
        results, wanted = both(batch(), form=form, heights=heights, **CASES[case])
        assert_all_same(results, wanted)


def test_a_function_may_close_over_what_is_differentiated():
    """As a similarity made of the embeddings themselves: no gradient flows through it."""
    q, c, _, _ = batch()

    def ours(q):
        return blockwise_soft_infonce(q, c, lambda rows: q[rows] @ c.T, block_rows=4, **EQ4)

    def theirs(q):
        return soft_infonce(q, c, negative_weights(q @ c.T, **EQ4))

    result, wanted = jax.jit(lambda q: [jax.value_and_grad(f)(q) for f in (ours, theirs)])(q)
    assert_same(result, wanted)


def test_without_similarity_it_is_infonce():
    q, c, _, _ = batch()
    losses = functools.partial(blockwise_soft_infonce, block_rows=4), soft_infonce
    steps = [jax.value_and_grad(loss) for loss in losses]
    result, wanted = jax.jit(lambda q, c: [step(q, c) for step in steps])(q, c)
    assert_same(result, wanted)


@pytest.mark.parametrize("case", ["plain", "rows left out", "pairs left out", "cosine"])
def test_rows_and_any_function_of_them(case):
    """With reduce_fn None the rows may be put to any use, a square for instance."""
    options = {"reduce_fn": None} | CASES[case]
    scale = options.pop("scale", 1.0)

    def squares(function, *arrays, **given):
        return jnp.sum(function(*arrays, scale, **given) ** 2)

    ours = functools.partial(squares, blockwise, block_rows=4, **options)
    theirs = functools.partial(squares, dense, **options)
    steps = [jax.value_and_grad(f, (0, 1)) for f in (ours, theirs)]
    result, wanted = jax.jit(lambda *arrays: [step(*arrays) for step in steps])(*batch())
    assert_same(result, wanted)


@pytest.mark.parametrize("size", [300.0, -300.0])
def test_extreme_scores_and_ties(size):
    """Scores of ±300, all of a row's equal, a row whose negatives are far above its positive."""
    q, c, a, b = batch()
    q, c = np.zeros(q.shape, np.float32), np.zeros(c.shape, np.float32)
    q[:, 0], c[:, 0] = size, 1
    q[2], c[1::4, 0] = 0, -1
    results, wanted = both([q, c, a, b])
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(list(results.values())))
    assert_all_same(results, wanted)


def test_what_is_left_out_may_be_nan():
    q, c, a, b = batch()
    where = some_pairs()
    q, c = np.array(q), np.array(c)
    q[3] = c[15] = np.nan
    results, wanted = both([q, c, a, b], where=where)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(list(results.values())))
    assert_all_same(results, wanted)
    q[2] = np.nan
    results, _ = both([q, c, a, b], where=where)
    assert all(np.isnan(value) for value, _ in results.values())


def test_nothing_left_in_is_zero():
    q, c, a, b = batch()
    none = jnp.asarray(np.zeros(B, bool))
    results, wanted = both([q, c, a, b], heights=(4,), where=none)
    assert_all_same(results, wanted)
    assert all(value == 0 and not slopes[0].any() for value, slopes in results.values())


def test_low_precision_is_no_worse_than_dense():
    """Errors against float64 of the same rounded embeddings, many blocks summed into dc."""
    random = np.random.default_rng(0)
    rows = 256
    wide = [random.normal(size=(rows, 16)) / 2 for _ in range(2)]
    q, c = (jnp.asarray(x, jnp.bfloat16) for x in wide)
    with jax.enable_x64(True):
        exact = jax.jit(jax.grad(lambda q, c: soft_infonce(q, c).astype(jnp.float64), (0, 1)))(
            *(jnp.asarray(np.float64(x)) for x in (q, c))
        )
    in_blocks = functools.partial(blockwise_soft_infonce, block_rows=2)
    steps = [jax.grad(loss, (0, 1)) for loss in (in_blocks, soft_infonce)]
    ours, theirs = jax.jit(lambda q, c: [step(q, c) for step in steps])(q, c)
    for result, of_dense, wanted in zip(ours, theirs, exact, strict=True):
        assert result.dtype == jnp.bfloat16
        errors = [np.abs(np.float64(x) - np.float64(wanted)).max() for x in (result, of_dense)]
        assert errors[0] <= 1.1 * errors[1]


DEVICES = 4


def sharded(axes):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(axes,))
    return mesh, NamedSharding(mesh, P("data"))


def even(arrays):
    """8 queries and 12 candidates, which 4 devices share."""
    return [x[:rows] for x, rows in zip(arrays, (8, 12, 8, 12), strict=True)]


@functools.cache
def dense_total(reduced):
    def total(*arrays):
        return jnp.sum(dense(*arrays, **({} if reduced else {"reduce_fn": None})))

    return jax.jit(jax.value_and_grad(total, (0, 1)))(*even(batch()))


@pytest.mark.parametrize(
    "axes", [AxisType.Auto, pytest.param(AxisType.Explicit, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("reduced", [True, False])
def test_jit_of_sharded_arrays(axes, reduced):
    arrays, wanted = even(batch()), dense_total(reduced)
    options = {} if reduced else {"reduce_fn": None}

    def total(*arrays):
        return jnp.sum(blockwise(*arrays, block_rows=3, **options))

    mesh, sharding = sharded(axes)
    placed = [jax.device_put(x, sharding) for x in arrays]
    step = jax.jit(jax.value_and_grad(total, (0, 1)))
    assert_same(step(*placed), wanted)
    with jax.set_mesh(mesh):
        assert_same(step(*placed), wanted)


def of_parameters(function, x, y, a, b):
    """The loss of two small towers, whose parameters are on every device."""
    return lambda params: function(x @ params[0], y @ params[1], a, b)


def two_towers():
    return [np.float32(np.eye(D) * 1.5 + 0.1), np.float32(np.eye(D) * 0.5 - 0.2)]


@functools.cache
def on_one_device():
    # Each device has 2 queries and 3 candidates, theirs first.
    positive = jnp.asarray([0, 1, 3, 4, 6, 7, 9, 10])
    whole = functools.partial(dense, positive=positive)
    return jax.jit(jax.value_and_grad(of_parameters(whole, *even(batch()))))(two_towers())


@pytest.mark.parametrize("mapper", ["shard_map", "shard_map, typed", "pmap"])
def test_candidates_are_gathered_over_a_mapped_axis(mapper):
    arrays, params, wanted = even(batch()), two_towers(), on_one_device()

    def loss(params, arrays, axis_name="data"):
        of_device = functools.partial(blockwise, axis_name=axis_name, block_rows=2)
        return of_parameters(of_device, *arrays)(params)

    def body(params, *arrays):
        """The control: the loss without a gather."""
        step = jax.value_and_grad(loss)(params, arrays)
        return lax.pmean((step, loss(params, arrays, axis_name=None)), "data")

    def typed(params, *arrays):
        """The gradient outside: the reduced loss is what is differentiated."""
        step = jax.value_and_grad(lambda params: lax.pmean(loss(params, arrays), "data"))
        return step(params), lax.pmean(loss(params, arrays, axis_name=None), "data")

    if mapper == "pmap":
        split = [x.reshape(DEVICES, -1, x.shape[1]) for x in arrays]
        mapped = jax.pmap(body, "data", in_axes=(None, 0, 0, 0, 0))(params, *split)
        result, alone = jax.tree.map(lambda x: x[0], mapped)
    else:
        mesh, _ = sharded(AxisType.Auto)
        is_typed = mapper.endswith("typed")
        run = jax.shard_map(
            typed if is_typed else body, mesh=mesh,
            in_specs=(P(), *[P("data")] * 4), out_specs=P(), check_vma=is_typed,
        )  # fmt: skip
        result, alone = jax.jit(run)(params, *arrays)
    assert_same(result, wanted)
    assert abs(alone - wanted[0]) > 1e-3


def temporary_bytes(function, rows):
    """What the compiled value and gradients need beside arguments and results."""
    shapes = [jax.ShapeDtypeStruct((rows, width), jnp.float32) for width in (64, 64, 32, 32)]
    step = jax.jit(jax.value_and_grad(function, (0, 1)))
    return step.lower(*shapes).compile().memory_analysis().temp_size_in_bytes


@pytest.mark.slow
def test_memory_is_linear_in_the_batch():
    """Four times the rows: about four times the memory, where the dense form needs sixteen."""
    in_blocks = functools.partial(blockwise, block_rows=16)
    ours = [temporary_bytes(in_blocks, rows) for rows in (2**11, 2**13)]
    theirs = temporary_bytes(dense, 2**11)
    assert ours[1] < 5 * ours[0] and ours[0] < theirs / 8


BAD = {
    "features (13, 4) and (17, 3)": lambda q, c, a, b: (q, c, (a, b[:, :3])),
    "features (12, 4) and (17, 4)": lambda q, c, a, b: (q, c, (a[:12], b)),
    "similarity has shape (13, 13)": lambda q, c, a, b: (q, c, a @ a.T),
    "q has 6 dimensions, c has 5": lambda q, c, a, b: (q, c[:, :5], (a, b)),
    "13 rows but 12 candidates": lambda q, c, a, b: (q, c[:12], (a, b[:12])),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    q, c, similarity = BAD[message](*batch())
    with pytest.raises(ValueError) as error:
        blockwise_soft_infonce(q, c, similarity, **EQ4)
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["alpha", "beta", "temperature"])
def test_a_similarity_needs_every_setting(name):
    q, c, a, b = batch()
    with pytest.raises(ValueError, match="give alpha, beta and temperature"):
        blockwise_soft_infonce(q, c, (a, b), **{k: v for k, v in EQ4.items() if k != name})


def test_weights_without_meaning():
    q, c, a, b = batch()
    with pytest.raises(ValueError, match="the weights have no meaning"):
        blockwise(q, c, a, b, eq4=EQ4 | {"alpha": 20.0})


def test_functions_of_what_rows_bring_along():
    """`where` and similarity made of arrays of the rows, a block at a time."""
    q, c, a, b = batch()
    where = some_pairs()
    brought = {"features": a, "where": where}

    def step(block_rows):
        def ours(q, c):
            return blockwise_soft_infonce(
                q, c, lambda rows: rows["features"] @ b.T, where=lambda rows: rows["where"],
                rows=brought, block_rows=block_rows, **EQ4,
            )  # fmt: skip

        return jax.value_and_grad(ours, (0, 1))

    options = {"eq4": EQ4, "where": where, "positive": None}
    value, slopes = compiled(dense)((q, c, a, b), 1.0, options)[None]
    q, c = np.array(q), np.array(c)
    q[3] = c[15] = np.nan
    results = jax.jit(lambda q, c: [step(height)(q, c) for height in HEIGHTS])(q, c)
    assert_all_same(dict(zip(HEIGHTS, results, strict=True)), (value, slopes[:2]))


def test_functions_of_row_numbers_close_over_traced_integers():
    q, c, a, b = batch()

    @jax.jit
    def ours(q, keys_B, keys_N):
        def where(rows):
            return (keys_B[rows][:, None] != keys_N[None]) | (rows[:, None] == jnp.arange(N)[None])

        return blockwise_soft_infonce(q, c, (a, b), where=where, block_rows=4, **EQ4)

    keys_B, keys_N = np.arange(B) % 4, np.arange(N) % 5
    where = jnp.asarray((keys_B[:, None] != keys_N[None]) | np.eye(B, N, dtype=bool))
    keys = jnp.asarray(keys_B), jnp.asarray(keys_N)
    value, slope = jax.jit(jax.value_and_grad(ours))(q, *keys)
    options = {"eq4": EQ4, "where": where, "positive": None}
    wanted = compiled(dense)((q, c, a, b), 1.0, options)[None]
    assert_same((value, slope), (wanted[0], wanted[1][0]))
    other, _ = compiled(dense)((q, c, a, b), 1.0, options | {"where": None})[None]
    assert abs(value - other) > 1e-3


def test_a_function_of_another_shape():
    q, c, a, _ = batch()
    with pytest.raises(
        ValueError, match=r"a function of 4 rows returned \(4, 13\); give \(4, 17\)"
    ):
        blockwise_soft_infonce(q, c, lambda rows: a[rows] @ a.T, block_rows=4, **EQ4)


@pytest.mark.parametrize("features", [False, True])
def test_a_batch_of_65536_needs_less_than_a_gigabyte(features):
    """Compiled for 768 dimensions; arguments and results are not counted."""

    def loss(q, c, a, b):
        return blockwise_soft_infonce(q, c, (a, b) if features else None, **EQ4)

    shape = jax.ShapeDtypeStruct((2**16, 768), jnp.float32)
    compiled = jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*[shape] * 4).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 2**30


def test_the_registry_names_the_losses_that_have_this_form():
    """Those without a target or with the weights of Eq. 4, and no settings of the loss itself."""
    in_blocks = {name for name, row in registry.LOSSES.items() if row.blockwise}
    assert in_blocks == {"infonce", "soft_infonce"}
    for row in registry.LOSSES.values():
        assert row.blockwise == (row.target in (None, "w") and not row.arguments)
