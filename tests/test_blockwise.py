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
def compiled(function, **static):
    """(arrays, scale, options) -> value and gradients in q, c and scale; numbers are traced."""

    def value(q, c, a, b, scale, options):
        return function(q, c, a, b, scale, **options, **static)

    step = jax.jit(jax.value_and_grad(value, (0, 1, 4)))
    return lambda arrays, scale, options: step(*arrays, jnp.float32(scale), options)


def both(arrays, scale=1.0, *, form="features", block_rows=None, eq4=EQ4, where=None,
         positive=None, **static):  # fmt: skip
    """Values and gradients in q, c and scale, of the block-wise and of the dense loss."""
    given = arrays, scale, {"eq4": eq4, "where": where, "positive": positive}
    ours = compiled(blockwise, form=form, block_rows=block_rows, **static)(*given)
    return ours, compiled(dense, **static)(*given)


def assert_same(result, wanted, tolerance=1e-5):
    for ours, theirs in zip(jax.tree.leaves(result), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def some_rows():
    return jnp.arange(B) % 3 > 0


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
}


@pytest.mark.parametrize("block_rows", HEIGHTS)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradients_are_the_dense_ones(case, block_rows):
    result, wanted = both(batch(), block_rows=block_rows, **CASES[case])
    assert_same(result, wanted)


def test_the_value_is_that_of_the_loop():
    q, c, a, b = batch()
    w = reference.negative_weights(np.float64(a) @ np.float64(b).T, **EQ4)
    slow = reference.mean(reference.soft_infonce(np.float64(q), np.float64(c), w))

    def value(**changed):
        return both([q, c, a, b], block_rows=4, eq4=EQ4 | changed)[0][0]

    np.testing.assert_allclose(value(), slow, rtol=1e-6)
    for changed in ({"alpha": 1.0}, {"temperature": 1.0}, {"floor": 0.9}):
        assert abs(float(value(**changed)) - slow) > 1e-3


@pytest.mark.parametrize("form", ["features", "matrix", "function"])
def test_every_form_of_the_similarity(form):
    for case in ("plain", "pairs left out"):
        result, wanted = both(batch(), form=form, block_rows=4, **CASES[case])
        assert_same(result, wanted)


def test_a_function_may_close_over_what_is_differentiated():
    """As a similarity made of the embeddings themselves: no gradient flows through it."""
    q, c, _, _ = batch()

    def ours(q):
        return blockwise_soft_infonce(q, c, lambda rows: q[rows] @ c.T, block_rows=4, **EQ4)

    def theirs(q):
        return soft_infonce(q, c, negative_weights(q @ c.T, **EQ4))

    assert_same(jax.jit(jax.value_and_grad(ours))(q), jax.jit(jax.value_and_grad(theirs))(q))


def test_without_similarity_it_is_infonce():
    q, c, _, _ = batch()
    ours = jax.value_and_grad(lambda q: blockwise_soft_infonce(q, c, block_rows=4))
    assert_same(ours(q), jax.jit(jax.value_and_grad(lambda q: soft_infonce(q, c)))(q))


@pytest.mark.parametrize("case", ["plain", "rows left out", "pairs left out", "cosine"])
def test_rows_and_any_function_of_them(case):
    """With reduce_fn None the rows may be put to any use, a square for instance."""
    options = {"reduce_fn": None} | CASES[case]
    scale = options.pop("scale", 1.0)

    def squares(function, *arrays, **given):
        return jnp.sum(function(*arrays, scale, **given) ** 2)

    ours = functools.partial(squares, blockwise, block_rows=4, **options)
    theirs = functools.partial(squares, dense, **options)
    result, wanted = (jax.jit(jax.value_and_grad(f, (0, 1)))(*batch()) for f in (ours, theirs))
    assert_same(result, wanted)


@pytest.mark.parametrize("size", [300.0, -300.0])
def test_extreme_scores_and_ties(size):
    """Scores of ±300, all of a row's equal, a row whose negatives are far above its positive."""
    q, c, a, b = batch()
    q = jnp.zeros_like(q).at[:, 0].set(size).at[2].set(0)
    c = jnp.zeros_like(c).at[:, 0].set(1).at[1::4, 0].set(-1)
    result, wanted = both([q, c, a, b], block_rows=4)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(result))
    assert_same(result, wanted)


def test_what_is_left_out_may_be_nan():
    q, c, a, b = batch()
    where = some_pairs()
    q, c = q.at[3].set(jnp.nan), c.at[15].set(jnp.nan)
    result, wanted = both([q, c, a, b], where=where, block_rows=4)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(result))
    assert_same(result, wanted)
    q = q.at[2].set(jnp.nan)
    assert np.isnan(blockwise(q, c, a, b, where=where, block_rows=4))


def test_nothing_left_in_is_zero():
    q, c, a, b = batch()
    result, wanted = both([q, c, a, b], where=jnp.zeros(B, bool), block_rows=4)
    assert_same(result, wanted)
    assert result[0] == 0 and not result[1][0].any()


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
    ours = jax.jit(jax.grad(in_blocks, (0, 1)))(q, c)
    theirs = jax.jit(jax.grad(soft_infonce, (0, 1)))(q, c)
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


@pytest.mark.parametrize("axes", [AxisType.Auto, AxisType.Explicit])
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
    return [jnp.eye(D) * 1.5 + 0.1, jnp.eye(D) * 0.5 - 0.2]


@functools.cache
def on_one_device():
    # Each device has 2 queries and 3 candidates, theirs first.
    positive = jnp.asarray([0, 1, 3, 4, 6, 7, 9, 10])
    whole = functools.partial(dense, positive=positive)
    return jax.jit(jax.value_and_grad(of_parameters(whole, *even(batch()))))(two_towers())


@pytest.mark.parametrize("mapper", ["shard_map", "shard_map, typed", "pmap"])
def test_candidates_are_gathered_over_a_mapped_axis(mapper):
    arrays, params, wanted = even(batch()), two_towers(), on_one_device()

    def body(gathered, params, *arrays):
        of_device = functools.partial(
            blockwise, axis_name="data" if gathered else None, block_rows=2, form="features"
        )
        step = jax.value_and_grad(of_parameters(of_device, *arrays))
        return lax.pmean(step(params), "data")

    def typed(gathered, params, *arrays):
        """The gradient outside: the reduced loss is what is differentiated."""

        def reduced(params):
            of_device = functools.partial(blockwise, axis_name="data", block_rows=2)
            return lax.pmean(of_parameters(of_device, *arrays)(params), "data")

        return jax.value_and_grad(reduced)(params)

    def mapped(gathered):
        if mapper == "pmap":
            split = [x.reshape(DEVICES, -1, x.shape[1]) for x in arrays]
            run = jax.pmap(functools.partial(body, gathered), "data", in_axes=(None, 0, 0, 0, 0))
            return jax.tree.map(lambda x: x[0], run(params, *split))
        mesh, _ = sharded(AxisType.Auto)
        typed_ = mapper.endswith("typed")
        run = jax.shard_map(
            functools.partial(typed if typed_ else body, gathered), mesh=mesh,
            in_specs=(P(), *[P("data")] * 4), out_specs=P(), check_vma=typed_,
        )  # fmt: skip
        return jax.jit(run)(params, *arrays)

    assert_same(mapped(gathered=True), wanted)
    if mapper != "shard_map, typed":
        assert abs(mapped(gathered=False)[0] - wanted[0]) > 1e-3


def temporary_bytes(function, rows):
    """What the compiled value and gradients need beside arguments and results."""
    shapes = [jax.ShapeDtypeStruct((rows, width), jnp.float32) for width in (64, 64, 32, 32)]
    step = jax.jit(jax.value_and_grad(function, (0, 1)))
    return step.lower(*shapes).compile().memory_analysis().temp_size_in_bytes


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


@pytest.mark.parametrize("block_rows", HEIGHTS)
def test_functions_of_what_rows_bring_along(block_rows):
    """`where` and similarity made of arrays of the rows, a block at a time."""
    q, c, a, b = batch()
    where = some_pairs()
    brought = {"features": a, "where": where}

    def ours(q, c):
        return blockwise_soft_infonce(
            q, c, lambda rows: rows["features"] @ b.T, where=lambda rows: rows["where"],
            rows=brought, block_rows=block_rows, **EQ4,
        )  # fmt: skip

    result = jax.jit(jax.value_and_grad(ours, (0, 1)))(q.at[3].set(jnp.nan), c.at[15].set(jnp.nan))
    options = {"eq4": EQ4, "where": where, "positive": None}
    value, slopes = compiled(dense)((q, c, a, b), 1.0, options)
    assert_same(result, (value, slopes[:2]))


def test_functions_of_row_numbers_close_over_traced_integers():
    q, c, a, b = batch()

    @jax.jit
    def ours(q, keys_B, keys_N):
        def where(rows):
            return (keys_B[rows][:, None] != keys_N[None]) | (rows[:, None] == jnp.arange(N)[None])

        return blockwise_soft_infonce(q, c, (a, b), where=where, block_rows=4, **EQ4)

    keys_B, keys_N = jnp.arange(B) % 4, jnp.arange(N) % 5
    where = (keys_B[:, None] != keys_N[None]) | jnp.eye(B, N, dtype=bool)
    value, slope = jax.value_and_grad(ours)(q, keys_B, keys_N)
    options = {"eq4": EQ4, "where": where, "positive": None}
    wanted = compiled(dense)((q, c, a, b), 1.0, options)
    assert_same((value, slope), (wanted[0], wanted[1][0]))
    assert abs(value - compiled(dense)((q, c, a, b), 1.0, options | {"where": None})[0]) > 1e-3


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
