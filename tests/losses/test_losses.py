"""InfoNCE and Soft-InfoNCE against float64 loops: one table of losses, one test per property."""

from __future__ import annotations

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax import infonce, negative_weights, soft_infonce
from tests import reference
from tests.shared import shared_path

# name: (ours, the loop, whether it takes w)
LOSSES = {
    "infonce": (infonce, reference.infonce, False),
    "soft_infonce": (soft_infonce, reference.soft_infonce, True),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"):
        yield


def batch(rows=5, candidates=7, size=1.0, seed=0):
    """Embeddings and weights, a third of these 0."""
    random = np.random.default_rng(seed)
    q = random.normal(size=(rows, 4)) * size
    c = random.normal(size=(candidates, 4))
    w = random.uniform(0.2, 2.0, size=(rows, candidates))
    w[random.uniform(size=w.shape) < 0.33] = 0.0
    return tuple(x.astype(np.float32) for x in (q, c, w))


def arrays(name, q, c, w):
    """What the loss takes by position."""
    return (q, c, w) if LOSSES[name][2] else (q, c)


def ours(name, *parts, **options):
    options = {k: jnp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    return LOSSES[name][0](*(jnp.asarray(x, jnp.float32) for x in parts), **options)


def loop(name, *parts, **options):
    return reference.mean(LOSSES[name][1](*parts, **options))


def gradients(name, *parts, **options):
    which = tuple(range(len(parts)))
    return jax.grad(lambda *x: ours(name, *x, **options), which)(
        *(jnp.asarray(x, jnp.float32) for x in parts)
    )


def masks(random):
    """No mask, rows out, and pairs out (one row, one column and some entries)."""
    rows = np.array([True, False, True, True, False])
    pairs = random.uniform(size=(5, 7)) > 0.3
    pairs[2], pairs[:, 5], pairs[3, 3], pairs[0, 0], pairs[4, 4] = False, False, False, True, True
    return {"none": None, "rows": rows, "pairs": pairs}


OPTIONS = {
    "plain": {},
    "scaled": {"scale": 3.0},
    "positive": {"positive": np.array([6, 0, 0, 3, 5])},
    "rows": {"where": masks(np.random.default_rng(3))["rows"]},
    "pairs": {"where": masks(np.random.default_rng(3))["pairs"]},
    "all": {
        "where": masks(np.random.default_rng(3))["pairs"],
        "positive": np.array([6, 0, 0, 4, 1]),
        "scale": 0.5,
    },
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@every_loss
@every_option
def test_value_and_gradients_are_those_of_the_loop(name, options):
    parts = arrays(name, *batch())
    np.testing.assert_allclose(ours(name, *parts, **options), loop(name, *parts, **options), 3e-6)
    for k, gradient in enumerate(gradients(name, *parts, **options)):

        def at(x, k=k):
            return loop(name, *parts[:k], x, *parts[k + 1 :], **options)

        expected = reference.differences(at, parts[k])
        np.testing.assert_allclose(gradient, expected, atol=3e-6, rtol=1e-5)
        assert np.abs(expected).max() > 1e-2, "the tolerance is far below the gradient"


@every_loss
@every_option
def test_rows_are_those_of_the_loop(name, options):
    parts = arrays(name, *batch())
    expected = [0.0 if x is None else x for x in LOSSES[name][1](*parts, **options)]
    rows = ours(name, *parts, **options, reduce_fn=None)
    np.testing.assert_allclose(rows, expected, rtol=1e-5)
    total = ours(name, *parts, **options, reduce_fn=jnp.sum)
    np.testing.assert_allclose(total, sum(expected), rtol=1e-5)


def test_the_loss_by_hand():
    q, c = np.array([[1.0], [2.0]]), np.array([[1.0], [3.0]])  # scores 1, 3 and 2, 6
    w = np.array([[7.0, 0.5], [0.25, 7.0]])
    expected = (math.log(math.e + 0.5 * math.e**3) - 1, math.log(math.e**6 + math.e**2 / 4) - 6)
    rows = ours("soft_infonce", q, c, w, reduce_fn=None)
    np.testing.assert_allclose(rows, expected, rtol=1e-6)


@every_loss
@pytest.mark.parametrize("size", [300.0, 1e4])
def test_extreme_scores(name, size):
    q, c, w = batch()
    parts = arrays(name, *[np.float32(x) for x in (np.sign(q) * size / 4, np.sign(c), w)])
    expected = loop(name, *parts)
    assert expected > size / 4
    np.testing.assert_allclose(ours(name, *parts), expected, rtol=1e-6)
    assert all(np.isfinite(g).all() for g in gradients(name, *parts))


@pytest.mark.parametrize("gap", [30.0, 104.0, 1e4])
def test_a_hard_row_keeps_its_gradient(gap):
    """The published code's fades from −0.99 to 0."""
    dq = gradients("soft_infonce", [[gap]], [[0.0], [1.0]], [[1.0, 1.0]])[0]
    np.testing.assert_allclose(dq, [[1.0]], rtol=1e-6)
    dc = gradients("soft_infonce", [[gap]], [[0.0], [1.0]], [[1.0, 1.0]])[1]
    np.testing.assert_allclose(dc, [[-gap], [gap]], rtol=1e-6)


@pytest.mark.parametrize("gap", [20.0, 60.0])
def test_an_easy_row_keeps_value_and_gradient(gap):
    """P − 1 and log(1 + e^−20) would both round to 0."""
    parts = [[1.0]], [[gap], [0.0]], [[1.0, 0.5]]
    np.testing.assert_allclose(ours("soft_infonce", *parts), 0.5 * math.exp(-gap), rtol=1e-5)
    dq, dc, _ = gradients("soft_infonce", *parts)
    np.testing.assert_allclose(dq, [[-gap * 0.5 * math.exp(-gap)]], rtol=1e-5)
    np.testing.assert_allclose(dc[0], -0.5 * math.exp(-gap), rtol=1e-5)


@pytest.mark.parametrize("x", [-20.0, 0.0, 5.0, 60.0])
def test_gradient_in_w_at_zero(x):
    """One negative of weight 0 at score x, one of weight 1 at score 2, the positive at 0."""
    q, c, w = [[1.0]], [[0.0], [x], [2.0]], [[1.0, 0.0, 1.0]]
    np.testing.assert_allclose(ours("soft_infonce", q, c, w), math.log(1 + math.e**2), rtol=1e-6)
    dq, dc, dw = gradients("soft_infonce", q, c, w)
    p = math.e**2 / (1 + math.e**2)
    np.testing.assert_allclose(dw[0, 1], math.exp(x) / (1 + math.e**2), rtol=2e-5)
    np.testing.assert_allclose(dc[:, 0], [-p, 0.0, p], rtol=1e-6)
    np.testing.assert_allclose(dq, [[2 * p]], rtol=1e-6)


def test_a_zero_weight_far_above_sets_no_shift():
    q, c, w = [[1.0]], [[0.0], [500.0], [2.0]], [[1.0, 0.0, 1.0]]
    np.testing.assert_allclose(ours("soft_infonce", q, c, w), math.log(1 + math.e**2), rtol=1e-6)
    dq, dc, dw = gradients("soft_infonce", q, c, w)
    p = math.e**2 / (1 + math.e**2)
    np.testing.assert_allclose(dc[:, 0], [-p, 0.0, p], rtol=1e-6)
    np.testing.assert_allclose(dq, [[2 * p]], rtol=1e-6)
    assert 1e36 < dw[0, 1] < np.inf, "e^500 is beyond float32: it saturates"


def test_weights_all_zero():
    q, c, _ = batch()
    w = np.zeros((5, 7))
    assert ours("soft_infonce", q, c, w) == 0
    dq, dc, dw = gradients("soft_infonce", q, c, w)
    assert not dq.any() and not dc.any()
    score = q @ c.T
    expected = np.exp(score - np.diag(score)[:, None]) / 5
    expected[np.arange(5), np.arange(5)] = 0
    np.testing.assert_allclose(dw, expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [1.2e-38, 1e-30, 1e-3, 1e30, 3e38])
@pytest.mark.parametrize("x", [-80.0, 0.0, 80.0, 200.0])
def test_any_weight_at_any_score(weight, x):
    parts = [[1.0]], [[0.0], [x], [1.0]], [[1.0, weight, 0.0]]
    weight = float(np.float32(weight))
    np.testing.assert_allclose(
        ours("soft_infonce", *parts), loop("soft_infonce", *parts), rtol=1e-5, atol=1e-37
    )
    p = 1 / (1 + math.exp(-min(x + math.log(weight), 700)))
    np.testing.assert_allclose(gradients("soft_infonce", *parts)[0], [[x * p]], 3e-5, atol=1e-37)


def test_unit_weights_are_infonce():
    q, c, w = batch()
    plain = ours("infonce", q, c)
    np.testing.assert_allclose(ours("soft_infonce", q, c, np.ones_like(w)), plain, rtol=1e-6)
    np.testing.assert_allclose(ours("soft_infonce", q, c), plain, rtol=1e-6)
    assert abs(ours("soft_infonce", q, c, w) - plain) > 1e-2


@pytest.mark.parametrize(
    ("candidates", "alpha", "temperature", "equal"),
    [(5, 0.0, 1.0, True), (5, 1.0, 1e6, True), (2, 1.5, 0.1, True), (5, 1.0, 1.0, False)],
    ids=["alpha 0", "large t", "two candidates", "control"],
)
def test_limits_of_soft_infonce(candidates, alpha, temperature, equal):
    q, c, w = batch(candidates, candidates)
    settings = {"alpha": alpha, "beta": 0.7, "temperature": temperature}
    w = negative_weights(jnp.asarray(w), **settings)
    gap = abs(ours("soft_infonce", q, c, w) - ours("infonce", q, c))
    assert gap < 1e-5 if equal else gap > 1e-3


@every_loss
def test_permutation(name):
    q, c, w = batch()
    rows, columns = np.random.default_rng(1).permutation(5), np.random.default_rng(2).permutation(7)
    moved = arrays(name, q[rows], c[columns], w[rows][:, columns])
    positive = np.argsort(columns)[rows]
    expected = ours(name, *arrays(name, q, c, w))
    np.testing.assert_allclose(ours(name, *moved, positive=positive), expected, rtol=1e-6)
    assert abs(ours(name, *moved) - expected) > 1e-2


@every_loss
@pytest.mark.parametrize("fill", [1.0, np.nan, np.inf])
def test_masked_equals_dropped(name, fill):
    q, c, w = batch()
    keep, columns = np.array([0, 2, 3]), np.array([0, 2, 3, 5, 6])
    q[[1, 4]] = c[[1, 4]] = w[[1, 4]] = w[:, [1, 4]] = fill
    where = np.isin(np.arange(5), keep)[:, None] & np.isin(np.arange(7), columns)
    dropped = arrays(name, q[keep], c[columns], w[keep][:, columns])
    masked = arrays(name, q, c, w)
    expected = ours(name, *dropped)
    np.testing.assert_allclose(ours(name, *masked, where=where), expected, rtol=1e-6)
    got, wanted = gradients(name, *masked, where=where), gradients(name, *dropped)
    for g, d, index in zip(got, wanted, (keep, columns, np.ix_(keep, columns)), strict=False):
        np.testing.assert_allclose(g[index], d, atol=1e-6)
        np.testing.assert_allclose(np.abs(g).sum(), np.abs(d).sum(), rtol=1e-5)
    assert not abs(ours(name, *masked) - expected) < 1e-3


@every_loss
def test_rows_left_out_stay_negatives_of_others(name):
    q, c, w = batch(5, 5)
    keep = np.array([True, False, True, True, True])
    parts = arrays(name, q, c, w)
    rows = ours(name, *parts, reduce_fn=None)
    np.testing.assert_allclose(ours(name, *parts, where=keep), np.mean(rows[keep]), rtol=1e-6)
    pairs = ours(name, *parts, where=keep[:, None] & keep)
    assert abs(pairs - np.mean(rows[keep])) > 1e-3


@every_loss
@pytest.mark.parametrize("shape", [(5,), (5, 7)])
def test_everything_left_out_is_zero(name, shape):
    q, c, w = batch()
    for fill in (1.0, np.nan):
        parts = arrays(name, q * fill, c * fill, w * fill)
        assert ours(name, *parts, where=np.zeros(shape, bool)) == 0
        assert not any(g.any() for g in gradients(name, *parts, where=np.zeros(shape, bool)))


@every_loss
def test_a_row_without_negatives_is_zero(name):
    q, c, w = batch()
    where = np.ones((5, 7), bool)
    where[1] = np.arange(7) == 1
    parts = arrays(name, q, c, w)
    rows = ours(name, *parts, where=where, reduce_fn=None)
    assert rows[1] == 0 and (np.delete(rows, 1) > 0).all()
    np.testing.assert_allclose(ours(name, *parts, where=where), rows.sum() / 5, rtol=1e-6)
    assert not gradients(name, *parts, where=where)[0][1].any()


@every_loss
def test_a_nan_shows(name):
    some = np.array([True, False, True, False, False])
    for k, part in enumerate(arrays(name, *batch())):
        parts = list(arrays(name, *batch()))
        parts[k] = part.copy()
        parts[k][2, 3] = np.nan
        assert np.isnan(ours(name, *parts))
        assert np.isnan(ours(name, *parts, where=some))
        assert not np.isnan(ours(name, *parts, where=np.zeros(5, bool)))


def test_a_weight_below_zero_is_nan():
    q, c, w = batch()
    w[1, 3] = -0.1
    rows = ours("soft_infonce", q, c, w, reduce_fn=None)
    assert np.isnan(rows).tolist() == [False, True, False, False, False]


def test_a_positive_that_is_no_column_is_nan():
    q, c, _ = batch()
    rows = ours("infonce", q, c, positive=np.array([0, 1, 7, 3, -1]), reduce_fn=None)
    assert np.isnan(rows).tolist() == [False, False, True, False, True]


@every_loss
def test_one_row_with_explicit_negatives(name):
    parts = arrays(name, *batch(1, 3))
    np.testing.assert_allclose(ours(name, *parts), loop(name, *parts), rtol=1e-5)


@every_loss
def test_duplicated_rows(name):
    parts = arrays(name, *batch(4, 4))
    parts = tuple(np.concatenate([x, x]) for x in parts[:2])
    np.testing.assert_allclose(ours(name, *parts), loop(name, *parts), rtol=1e-5)
    alike = np.ones((4, 4))
    np.testing.assert_allclose(ours(name, alike, alike), math.log(4), rtol=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_low_precision_inputs_give_float32(name, dtype):
    q, c, w = batch(size=20.0)
    low = [jnp.asarray(x).astype(dtype) for x in arrays(name, q, c, w)]
    rounded = [np.asarray(x.astype(jnp.float32)) for x in low]
    loss = LOSSES[name][0](*low)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, loop(name, *rounded), rtol=1e-6)
    assert abs(loss / loop(name, *arrays(name, q, c, w)) - 1) > 1e-5, "rounding changes the loss"
    gradient = jax.grad(LOSSES[name][0])(*low)
    assert gradient.dtype == dtype
    expected = gradients(name, *rounded)[0]
    np.testing.assert_allclose(gradient.astype(jnp.float32), expected, rtol=1e-2, atol=1e-4)


@every_loss
def test_second_derivatives(name):
    """By jvp of the gradient: nothing in the losses stands in the way of forward mode."""
    parts = [jnp.asarray(x) for x in arrays(name, *batch())]
    gradient = jax.grad(LOSSES[name][0])
    _, tangent = jax.jvp(lambda q: gradient(q, *parts[1:]), (parts[0],), (parts[0],))
    step = 1e-2 * parts[0]
    expected = gradient(parts[0] + step, *parts[1:]) - gradient(parts[0] - step, *parts[1:])
    np.testing.assert_allclose(tangent, expected / 2e-2, atol=1e-3)


@every_loss
def test_a_learned_scale_has_its_gradient(name):
    parts = arrays(name, *batch())
    slope = jax.grad(lambda s: ours(name, *parts, scale=s))(jnp.float32(2.0))
    up, down = loop(name, *parts, scale=2 + 1e-5), loop(name, *parts, scale=2 - 1e-5)
    np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-5)


def test_goldens():
    golden = np.load(shared_path("goldens/losses_small.npz"))
    names = {"infonce": "infonce", "soft": "soft_infonce"}
    cases = [k for k, kind in enumerate(golden["case_loss"]) if kind in names]
    assert len(cases) == 28
    for case in cases:
        name, scale = names[golden["case_loss"][case]], golden["case_scale"][case]
        settings = {k: float(golden[f"case_{k}"][case]) for k in ("alpha", "beta")}
        settings["temperature"] = float(golden["case_t"][case])
        similarity = golden[f"sim_{golden['case_sim'][case]}"]
        w = reference.negative_weights(similarity, **settings)
        parts = arrays(name, golden[f"q_{scale}"], golden[f"c_{scale}"], w)
        np.testing.assert_allclose(ours(name, *parts), golden["loss_exact"][case], rtol=2e-6)
        dq, dc = gradients(name, *parts)[:2]
        np.testing.assert_allclose(dq, golden["gq_exact"][case], rtol=1e-4, atol=2e-5)
        np.testing.assert_allclose(dc, golden["gc_exact"][case], rtol=1e-4, atol=2e-5)


BAD = {
    "dimensions": (((3, 4), (3, 5)), {}, ValueError, "4.*5"),
    "one candidate": (((1, 4), (1, 4)), {}, ValueError, "1 candidate"),
    "no candidates": (((0, 4), (0, 4)), {}, ValueError, "0 candidate"),
    "fewer candidates": (((3, 4), (2, 4)), {}, ValueError, "3 rows but 2"),
    "vector": (((4,), (3, 4)), {}, ValueError, r"\(4,\).*\(3, 4\)"),
    "w": (((3, 4), (5, 4), (3, 3)), {}, ValueError, r"\(3, 3\).*\(3, 5\)"),
    "positive": (((3, 4), (5, 4)), {"positive": jnp.zeros(5, int)}, ValueError, r"\(5,\).*\(3,\)"),
    "positive type": (((3, 4), (5, 4)), {"positive": jnp.zeros(3)}, TypeError, "float32"),
    "where": (((3, 4), (5, 4)), {"where": jnp.ones((3, 3), bool)}, ValueError, r"3\).*\(3, 5\)"),
    "where type": (((3, 4), (5, 4)), {"where": jnp.ones(3)}, TypeError, "float32"),
}


@pytest.mark.parametrize(("shapes", "options", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_raises(shapes, options, error, message):
    with pytest.raises(error, match=message):
        inspect.unwrap(soft_infonce)(*(jnp.ones(shape) for shape in shapes), **options)
