"""The objective and the diagnostics above DENSE_PAIRS: the same numbers without (B, N) matrices."""

from __future__ import annotations

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax import blockwise
from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh, shard_rows
from softnce_jax.train import diagnose, objective
from softnce_jax.train.batches import Batch
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.diagnose import diagnosis

B, D, F, HARD = 12, 6, 5, 2
SETTINGS = {
    "plain": {},
    "InfoNCE": {"loss": "infonce"},
    "InfoNCE, duplicates left out": {"loss": "infonce", "duplicates": "exclude"},
    "duplicates left out": {"duplicates": "exclude"},
    "duplicates weighted": {"duplicates": "weight"},
    "another scale": {"scale": 0.25},
    "no floor": {"floor": 0.0, "alpha": 4.0, "beta": 0.5},
}


def settled(**given) -> Config:
    given = {"batch_size": B} | given
    return resolve(Config(**given), on_sample=True, train_pairs=99)[0]


def arrays(hard: bool, keys: bool, *, rows: int = B):
    """Vectors, and a batch in which every fourth query and every fifth code stand twice."""
    random = np.random.default_rng(0)
    columns = rows * (1 + HARD) if hard else rows
    q, c, a, b = (
        random.normal(size=(n, width)).astype(np.float32)
        for n, width in ((rows, D), (columns, D), (rows, F), (columns, F))
    )
    query = np.arange(rows) // 4 * 4 + np.minimum(np.arange(rows) % 4, 2)
    code = np.arange(columns) - (np.arange(columns) % 5 == 4)
    answers = random.integers(0, rows, size=(columns, 2))
    answers[:: columns // rows, 0] = query
    given = (query, code, answers) if keys else ()
    return q, c, Batch(None, a, b, *(x.astype(np.int32) for x in given))


@contextlib.contextmanager
def small_blocks(rows: int = 5):
    """Every batch is large; its blocks have some rows, or fewer beside hard negatives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective, "DENSE_PAIRS", 0)
        patch.setattr(diagnose, "DENSE_PAIRS", 0)
        patch.setattr(blockwise, "BLOCK_PAIRS", rows * B)
        yield


def sharded(data, devices: int):
    return shard_rows(data, make_mesh(jax.devices()[:devices]))


@functools.cache
def compiled(config: Config, hard: bool, keys: bool, *, dense: bool, devices: int = 1):
    """Loss and gradients as one program, for the arrays of `arrays`; tests share it."""
    loss = objective.Objective(config, config.scale or 1.0)
    program = jax.jit(jax.value_and_grad(loss, (0, 1)))
    with contextlib.nullcontext() if dense else small_blocks():
        traced = program.trace(*sharded(arrays(hard, keys), devices))
    assert ("scan" in str(traced.jaxpr)) != dense
    return traced.lower().compile()


def value_and_gradients(config, hard, keys, *, devices=1, **form):
    data = sharded(arrays(hard, keys), devices)
    return jax.device_get(compiled(config, hard, keys, devices=devices, **form)(*data))


def assert_same(found, wanted):
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


FAST = ("plain", "duplicates left out", "duplicates weighted")
CASES = [(name, True) for name in SETTINGS]
CASES += [pytest.param(name, False, marks=() if name in FAST else pytest.mark.slow)
          for name in SETTINGS]  # fmt: skip


@pytest.mark.parametrize(("name", "hard"), CASES)
def test_values_and_gradients_are_those_of_the_dense_form(name, hard):
    given = SETTINGS[name]
    of = functools.partial(value_and_gradients, hard=hard, keys=hard or "duplicates" in given)
    wanted = of(settled(**given), dense=True)
    assert_same(of(settled(**given), dense=False), wanted)
    # The control: without its setting the loss is another.
    if given:
        assert abs(of(settled(), dense=False)[0] - wanted[0]) > 1e-4


@pytest.mark.parametrize(
    ("devices", "duplicates"),
    [
        (4, "exclude"),
        (4, "weight"),
        pytest.param(1, "keep", marks=pytest.mark.slow),
        pytest.param(2, "exclude", marks=pytest.mark.slow),
        pytest.param(4, "keep", marks=pytest.mark.slow),
    ],
)
def test_sharded_batches(devices, duplicates):
    config = settled(duplicates=duplicates)
    wanted = value_and_gradients(config, True, True, dense=True)
    assert_same(value_and_gradients(config, True, True, dense=False, devices=devices), wanted)
    # The control: a hard negative that stands elsewhere.
    q, c, batch = arrays(hard=True, keys=True)
    moved = sharded((q, np.roll(c, 1, axis=0), batch), devices)
    found = compiled(config, True, True, dense=False, devices=devices)(*moved)
    assert abs(found[0] - wanted[0]) > 1e-3


def test_gradients_of_parameters_through_both_towers():
    """As in a step: everything traced, keys and features arguments of the compiled function."""
    config = settled(duplicates="weight")
    q, c, batch = arrays(hard=True, keys=True)

    def of_parameters(parameters, q, c, batch):
        return objective.Objective(config, 2.0)(q @ parameters, c @ parameters, batch)

    given = jnp.eye(D) * 1.5 + 0.1, q, c, batch
    trace = lambda: jax.jit(jax.value_and_grad(of_parameters)).trace(*given)
    dense = trace()
    with small_blocks():
        blocks = trace()
    assert ("scan" in str(blocks.jaxpr)) and ("scan" not in str(dense.jaxpr))
    assert_same(*(traced.lower().compile()(*given) for traced in (blocks, dense)))


@pytest.mark.parametrize("devices", [1, 4])
def test_a_learned_scale_has_its_gradient_in_both_forms(devices):
    config = settled(duplicates="exclude")
    data = sharded(arrays(hard=True, keys=True), devices)
    loss = objective.Objective(config, 1.0)
    run = lambda log: jax.jit(
        jax.value_and_grad(lambda log, q, c, batch: loss(q, c, batch, jnp.exp(log)))
    )(log, *data)
    log = jnp.log(jnp.float32(3.0))
    wanted = run(log)
    with small_blocks():
        assert_same(run(log), wanted)
        ((up, _), (down, _)) = run(log + 1e-2), run(log - 1e-2)
    np.testing.assert_allclose(wanted[1], (up - down) / 2e-2, rtol=1e-3)
    assert abs(wanted[1]) > 0.1


def diagnosis_of(config):
    return jax.jit(diagnosis(config, objective.Objective(config, 1.0)))


def temporary_bytes(config, rows, *, keys):
    data = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, arrays(False, keys, rows=rows)))
    step = jax.jit(jax.value_and_grad(objective.Objective(config, 1.0), (0, 1)))
    found = diagnosis_of(config)
    both = jax.jit(lambda q, c, batch: (step(q, c, batch), found(batch)))
    return both.lower(*data).compile().memory_analysis().temp_size_in_bytes


@pytest.mark.slow
@pytest.mark.parametrize(
    "duplicates",
    ["weight", "keep", "exclude"],
)
def test_memory_of_loss_and_diagnostics_is_linear(duplicates, monkeypatch):
    """Four times the rows, about four times the memory, duplicates told apart or not."""
    config = settled(duplicates=duplicates)
    monkeypatch.setattr(blockwise, "BLOCK_PAIRS", 2**16)
    monkeypatch.setattr(diagnose, "SAMPLE_ROWS", 4)
    of = functools.partial(temporary_bytes, config, keys=duplicates != "keep")
    dense = of(2**11)
    for module in (objective, diagnose):
        monkeypatch.setattr(module, "DENSE_PAIRS", 2**16)
    ours = [of(rows) for rows in (2**11, 2**13)]
    assert ours[1] < 5 * ours[0] and ours[0] < dense / 8


@pytest.mark.parametrize("hard", [False, True])
def test_diagnostics_of_a_large_batch_are_those_of_some_rows(hard, monkeypatch):
    config = settled(duplicates="exclude")
    batch = jax.tree.map(jnp.asarray, arrays(hard, keys=True)[2])
    whole = diagnosis_of(config)(batch)
    with small_blocks():
        assert_same(diagnosis_of(config)(batch), whole)
        monkeypatch.setattr(diagnose, "SAMPLE_ROWS", 4)
        found = diagnosis_of(config)(batch)

    @jax.jit
    def weights_and_mask(batch):
        every = objective.query_rows(batch, B, len(batch.code_features))
        some, loss = jax.tree.map(lambda x: x[::3], every), objective.Objective(config, 1.0)
        return loss.weights(batch, some)[1], loss.valid_pairs(batch, some)

    w, where = map(np.asarray, weights_and_mask(batch))
    assert len(w) == 4
    spread = np.abs(np.where(where, w - 1, 0)).max()
    np.testing.assert_allclose(found["weight_spread"], spread, rtol=1e-6)
    assert abs(found["p_max"] - whole["p_max"]) > 1e-3


def test_what_has_no_block_wise_form_is_refused_where_it_cannot_fit(monkeypatch):
    monkeypatch.setattr(objective, "MAX_DENSE_PAIRS", B * B - 1)
    monkeypatch.setattr(objective, "DENSE_PAIRS", B * B - 1)
    data = arrays(False, False)
    for given in ({"symmetric": True}, {"loss": "bce"}):
        with pytest.raises(InputError, match=r"of 12 x 12 pairs: its matrices would take 0 GB"):
            objective.Objective(settled(**given), 1.0)(*data)
    assert jax.eval_shape(objective.Objective(settled(), 1.0), *data).shape == ()
