"""The objective of each --loss on one batch, against the loops."""

from __future__ import annotations

import functools
import itertools
import re
import sys

import jax
import numpy as np
import pytest

from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh, shard_rows
from softnce_jax.registry import LOSSES
from softnce_jax.train.batches import Batch
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.objective import Objective, check_loss, query_rows
from tests import reference
from tests.losses import table

RANDOM = np.random.default_rng(1)
Q, C, A, B = (RANDOM.normal(size=(8, 4)).astype(np.float32) for _ in range(4))
QUERIES, CODES = [1, 2, 1, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 4, 6, 7]
BATCH = Batch(None, A, B, np.array(QUERIES, np.int32), np.array(CODES, np.int32))

PLAIN = BATCH._replace(query_keys=None, code_keys=None)


def settled(**given):
    return resolve(Config(batch_size=8, **given), on_sample=True, train_pairs=99)[0]


def found(data=None, duplicates="keep", **given):
    """The loss of the plain batch, of BATCH, or of the one with hard negatives."""
    form = data or ("plain" if duplicates == "keep" else "keys"), duplicates
    if given.keys() <= {"loss"}:
        return of_all_forms(**given)[form]
    return of_forms((form,), **given)[form]


@functools.cache
def of_all_forms(loss="soft_infonce"):
    """As one program, which tests share."""
    treatments = ["keep", "exclude"] + ["weight"] * (LOSSES[loss].target is not None)
    forms = [("plain", "keep"), *itertools.product(("keys", "hard"), treatments)]
    return of_forms(tuple(forms), loss=loss)


@functools.cache
def of_forms(forms, **given):
    """The losses of forms, each a name of data and a treatment of duplicates."""
    data = {"plain": (C, PLAIN), "keys": (C, BATCH), "hard": (C_N, HARD_BATCH)}
    losses = {form: Objective(settled(duplicates=form[1], **given), 2.0) for form in forms}
    of_data = lambda q, data: {form: loss(q, *data[form[0]]) for form, loss in losses.items()}
    return jax.jit(of_data)(Q, data)


def expected(name, where=None, *, c=C, similarity=None, positive=None, **settings):
    similarity = A @ B.T if similarity is None else similarity
    given = {"where": where, "positive": positive}
    weights = {"alpha": 1.5, "beta": 0.5, "temperature": 1.0, **given}
    p = reference.negative_distribution(similarity, temperature=1.0, **given)
    target = {
        None: (),
        "w": (reference.negative_weights(similarity, **weights),),
        "p": (p,),
        "similarity": (similarity,),
    }[table.LOSSES[name].target]
    loss = getattr(reference, name)
    return reference.mean(loss(Q, c, *target, **{"scale": 2.0, **given, **settings}))


# The defaults of each loss's own arguments.
SETTINGS = {
    name: {argument: row.settings[flag] for argument, flag in row.arguments.items()}
    for name, row in LOSSES.items()
}


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_reads_its_target(name):
    settings = SETTINGS[name]
    np.testing.assert_allclose(found(loss=name), expected(name, **settings), rtol=1e-5)
    where = reference.without_duplicates(QUERIES, CODES)
    without = found(loss=name, duplicates="exclude")
    np.testing.assert_allclose(without, expected(name, where, **settings), rtol=1e-5)
    assert abs(found(loss=name) - without) > 1e-4


@pytest.mark.parametrize("name", LOSSES)
def test_a_learned_scale_has_its_gradient_in_each_loss(name):
    """In its logarithm, by finite differences of the loop; the scale bound before is another."""
    loss = Objective(settled(loss=name), 2.0)
    of_log = lambda log, *data: loss(*data, jax.numpy.exp(log))
    value, slope = jax.jit(jax.value_and_grad(of_log))(np.float32(np.log(1.5)), Q, C, PLAIN)

    def loop(log):
        return expected(name, scale=np.exp(log), **SETTINGS[name])

    difference = (loop(np.log(1.5) + 1e-5) - loop(np.log(1.5) - 1e-5)) / 2e-5
    np.testing.assert_allclose([value, slope], [loop(np.log(1.5)), difference], rtol=1e-4)
    assert abs(slope) > 1e-2 and abs(value - found(loss=name)) > 1e-3


def test_duplicates_are_those_of_the_global_batch():
    """Four devices with two rows each: rows 0 and 2 and rows 3 and 5 are on different ones."""
    of_batch = jax.jit(Objective(settled(duplicates="exclude"), 2.0))
    mesh = make_mesh(jax.devices())
    wanted = found(duplicates="exclude")
    np.testing.assert_allclose(of_batch(*shard_rows((Q, C, BATCH), mesh)), wanted, rtol=1e-6)
    assert abs(wanted - found()) > 1e-4


@pytest.mark.parametrize("name", ["infonce", "soft_infonce"])
def test_both_directions(name):
    both = found(loss=name, symmetric=True)
    np.testing.assert_allclose(both, expected(name, symmetric=True), rtol=1e-5)
    assert abs(both - found(loss=name)) > 1e-3


def test_flags_reach_the_loss():
    assert abs(found(loss="cancel_top_k", cancel_k=3) - expected("cancel_top_k", k=3)) < 1e-5
    assert abs(found(loss="cancel_top_k", cancel_k=3) - found(loss="cancel_top_k")) > 1e-3
    ratio = found(loss="cancel_threshold", cancel_ratio=2.0)
    assert abs(ratio - expected("cancel_threshold", ratio=2.0)) < 1e-5
    assert abs(found(floor=0.9) - found()) > 1e-3


# Two hard negatives a row, as a batch has them: of row 0 its positive, of row 1 one with the
# query of row 0, of row 2 the code of row 3 (and of row 5), of row 4 its own function twice.
K = 2
HARD_CODES = [[1, 31], [32, 33], [4, 34], [35, 36], [5, 5], [37, 38], [39, 31], [40, 41]]
ASKED = [[60, 61], [62, 1], [3, 63], [64, 65], [66, 4], [67, 68], [69, 61], [70, 71]]
HARD = RANDOM.normal(size=(8, K, 4)).astype(np.float32)
HARD_B = RANDOM.normal(size=(8, K, 4)).astype(np.float32)
POSITIVE = np.arange(8) * (1 + K)


def interleaved(positive, hard):
    """Each row's positive, then its hard negatives, row after row."""
    every = np.concatenate([np.asarray(positive)[:, None], hard], axis=1)
    return every.reshape(-1, *np.shape(positive)[1:])


CODES_N, ASKED_N = interleaved(CODES, HARD_CODES), interleaved(QUERIES, ASKED)
HARD_BATCH = BATCH._replace(
    code_features=interleaved(B, HARD_B),
    code_keys=CODES_N.astype(np.int32),
    answers=ASKED_N[:, None].astype(np.int32),
)
C_N = interleaved(C, HARD)
EXCLUDED = reference.without_duplicates(QUERIES, CODES_N, POSITIVE, ASKED_N[:, None])
IN_BATCH = np.arange(8 * (1 + K)) % (1 + K) == 0


@pytest.mark.parametrize("name", LOSSES)
def test_hard_negatives_that_are_right_never_count(name):
    settings = SETTINGS[name]
    given = {
        "c": C_N,
        "similarity": A @ HARD_BATCH.code_features.T,
        "positive": POSITIVE,
    } | settings
    masks = {"keep": EXCLUDED | IN_BATCH, "exclude": EXCLUDED}
    for duplicates, where in masks.items():
        wanted = expected(name, where, **given)
        np.testing.assert_allclose(
            found("hard", loss=name, duplicates=duplicates), wanted, rtol=1e-5
        )
        # The control: counted all the same, they change the loss.
        assert abs(expected(name, None, **given) - wanted) > 1e-4
    assert (~masks["keep"]).sum() == 7 and (~EXCLUDED).sum() == 7 + 4


@pytest.mark.parametrize("name", ["infonce", "soft_infonce"])
def test_hard_negatives_in_both_directions(name):
    similarity = A @ HARD_BATCH.code_features.T
    given = {"c": C_N, "similarity": similarity, "positive": POSITIVE, "symmetric": True}
    wanted = expected(name, EXCLUDED | IN_BATCH, **given)
    np.testing.assert_allclose(found("hard", loss=name, symmetric=True), wanted, rtol=1e-5)


@pytest.mark.parametrize("name", ["soft_infonce", "bce", "cancel_top_k"])
@pytest.mark.parametrize("devices", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_devices_hold_the_hard_negatives_of_their_rows(name, devices):
    of_batch = jax.jit(Objective(settled(loss=name), 2.0))
    mesh = make_mesh(jax.devices()[:devices])
    value = of_batch(*shard_rows((Q, C_N, HARD_BATCH), mesh))
    np.testing.assert_allclose(value, found("hard", loss=name), rtol=1e-6)


@pytest.mark.parametrize("name", [name for name, row in LOSSES.items() if row.target])
@pytest.mark.parametrize("hard", [False, True])
def test_weighted_duplicates_are_the_most_similar_of_their_row(name, hard):
    data, batch, c = ("hard", HARD_BATCH, C_N) if hard else ("keys", BATCH, C)
    positive, where = (POSITIVE, EXCLUDED | IN_BATCH) if hard else (np.arange(8), None)
    in_batch = IN_BATCH if hard else np.ones(8, bool)
    similarity = A @ batch.code_features.T
    for i, j in np.argwhere(~reference.without_duplicates(QUERIES, batch.code_keys, positive)):
        if in_batch[j]:
            similarity[i, j] = similarity[i].max()
    given = {"c": c, "similarity": similarity, "positive": positive} | SETTINGS[name]
    weighted = found(data, loss=name, duplicates="weight")
    np.testing.assert_allclose(weighted, expected(name, where, **given), rtol=1e-5)
    # The controls. To cancel_threshold what is as similar as that is no negative.
    for other in ("keep",) if name == "cancel_threshold" else ("keep", "exclude"):
        assert abs(found(data, loss=name, duplicates=other) - weighted) > 1e-4


def test_the_weight_of_a_duplicate_is_the_floor_where_it_is_alone():
    """p near 1 on the only duplicate: (beta - alpha p) / (beta - alpha / m) is below 0."""
    batch = BATCH._replace(query_features=np.eye(8, dtype=np.float32) * 40,
                           code_features=np.eye(8, dtype=np.float32))  # fmt: skip
    loss = Objective(settled(duplicates="weight"), 1.0)
    _, w = jax.jit(lambda batch: loss.weights(batch, query_rows(batch, 8, 8)))(batch)
    same = ~reference.without_duplicates(QUERIES, CODES)
    np.testing.assert_allclose(np.asarray(w)[same], 0.1, rtol=1e-6)
    assert same.sum() == 4 and (np.asarray(w)[~same] >= 1).all()


@pytest.mark.parametrize("given", [{}, {"loss": "bce"}, {"loss": "infonce"}])
def test_no_product_is_rounded(given):
    """GPUs and TPUs round the factors of float32 products unless told not to."""
    loss = Objective(settled(**given), 2.0)
    program = str(jax.make_jaxpr(jax.value_and_grad(loss, (0, 1)))(Q, C, PLAIN))
    products = program.count("dot_general[")
    exact = re.findall(r"precision=\(?(?:Precision\.)?HIGHEST", program)
    assert len(exact) == products >= 3


USERS = """
import jax.numpy as jnp
def scalar(q, c, *, positive, where, scale):
    return scale * jnp.mean(q @ c.T)
def masked(q, c, w, *, positive, where, scale):
    return jnp.mean(jnp.where(where, w, 0.0)) + q[0, 0]
def rows(q, c, *, positive, where, scale):
    return jnp.sum(q, axis=1)
def kept(q, c, *, positive, where, scale):
    return jnp.sum(q, keepdims=True)
def whole(q, c, *, positive, where, scale):
    return jnp.sum(positive)
def pair(q, c, *, positive, where, scale):
    return jnp.sum(q), {}
def nothing(q, c, *, positive, where, scale):
    pass
"""


@pytest.mark.parametrize(
    ("name", "returns"),
    [
        ("scalar", None),
        ("masked", None),
        ("rows", "float32[8], not a scalar"),
        ("kept", "float32[1,1], not a scalar"),
        ("whole", "int32[], not a scalar of floats"),
        ("pair", "tuple, not a scalar"),
        ("nothing", "NoneType, not a scalar"),
    ],
)
def test_a_users_loss_returns_a_scalar(name, returns, tmp_path, monkeypatch):
    (tmp_path / "users_losses.py").write_text(USERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "users_losses", raising=False)
    given = {"duplicates": "exclude"} if name == "masked" else {}
    config = settled(loss=f"users_losses:{name}", **given)
    if returns is None:
        return check_loss(config, 4)
    with pytest.raises(InputError) as caught:
        check_loss(config, 4)
    assert f"{caught.value}".startswith(f"--loss users_losses:{name}: returns {returns}")


SCALES = """
import functools
import jax, jax.numpy as jnp
def read(q, c, *, positive, where, scale):
    return jnp.mean(scale * q @ c.T)
def handed_on(q, c, **options):
    return jax.jit(read)(q, c, **options)
def ignored(q, c, *, positive, where, scale):
    return jnp.mean(q @ c.T)
def swallowed(q, c, **options):
    return jnp.mean(q @ c.T)
@jax.jit
def unused(q, c, *, positive, where, scale):
    return jnp.mean(q @ c.T) + 0 * positive[0]
def number(q, c, *, positive, where, scale):
    return jnp.mean(q @ c.T) * (2.0 if scale > 1 else 1.0)
"""


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("read", None),
        ("handed_on", None),
        ("ignored", "does not read its scale"),
        ("swallowed", "does not read its scale"),
        ("unused", "does not read its scale"),
        ("number", "takes its scale as a number alone"),
    ],
)
def test_a_learned_scale_needs_a_loss_that_reads_it(name, problem, tmp_path, monkeypatch):
    (tmp_path / "scales.py").write_text(SCALES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "scales", raising=False)
    loss = f"scales:{name}"
    check_loss(settled(loss=loss), 4)  # negative control: a fixed scale is anybody's
    if problem is None:
        check_loss(settled(loss=loss, scale="learned"), 4)
        return
    with pytest.raises(InputError, match=f"--scale learned.* --loss {loss} {problem}") as caught:
        check_loss(settled(loss=loss, scale="learned"), 4)
    assert "\n" not in str(caught.value)
