"""The objective of each --loss on one batch, against the loops."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from softnce_jax.data.batches import Batch
from softnce_jax.train.config import LOSSES, Config, resolve
from softnce_jax.train.devices import shard_rows
from softnce_jax.train.objective import objective
from tests import reference

RANDOM = np.random.default_rng(1)
Q, C, A, B = (RANDOM.normal(size=(8, 4)).astype(np.float32) for _ in range(4))
QUERIES, CODES = [1, 2, 1, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 4, 6, 7]
BATCH = Batch(None, None, A, B, np.array(QUERIES, np.int32), np.array(CODES, np.int32))


def settled(**given):
    return resolve(Config(batch_size=8, **given), on_sample=True, train_pairs=99)[0]


def found(**given):
    of_batch = jax.jit(objective(settled(**given), 2.0))
    return of_batch(jnp.asarray(Q), jnp.asarray(C), jax.tree.map(jnp.asarray, BATCH))


def expected(name, where=None, **settings):
    similarity = A @ B.T
    weights = {"alpha": 1.5, "beta": 0.5, "temperature": 1.0, "where": where}
    p = reference.negative_distribution(similarity, temperature=1.0, where=where)
    target = {
        "infonce": (),
        "soft_infonce": (reference.negative_weights(similarity, **weights),),
        "cancel_top_k": (similarity,),
        "cancel_threshold": (similarity,),
    }.get(name, (p,))
    loss = getattr(reference, name)
    return reference.mean(loss(Q, C, *target, where=where, scale=2.0, **settings))


SETTINGS = {
    "kl_regularized": {"alpha": 0.7, "beta": 1.3},
    "cancel_top_k": {"k": 1},
    "cancel_threshold": {"ratio": 0.5},
}


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_reads_its_target(name):
    settings = SETTINGS.get(name, {})
    np.testing.assert_allclose(found(loss=name), expected(name, **settings), rtol=1e-5)
    where = reference.without_duplicates(QUERIES, CODES)
    without = found(loss=name, exclude_duplicates=True)
    np.testing.assert_allclose(without, expected(name, where, **settings), rtol=1e-5)
    assert abs(found(loss=name) - without) > 1e-4


def test_duplicates_are_those_of_the_global_batch():
    """Four devices with two rows each: rows 0 and 2 and rows 3 and 5 are on different ones."""
    of_batch = jax.jit(objective(settled(exclude_duplicates=True), 2.0))
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))
    wanted = found(exclude_duplicates=True)
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
