"""The step: N devices equal one, one compilation, dropout follows the step, bf16 stays close."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from jax.sharding import AxisType
from transformers import RobertaConfig

from softnce_jax.data.batches import Layout, batch_indices, batches
from softnce_jax.data.sample import load_sample
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.roberta import AnyMaskRobertaModule
from softnce_jax.encoders.tokenize import Tokenizer, train_tokenizer
from softnce_jax.errors import InputError
from softnce_jax.estimators.bm25 import average_length, bm25_features
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.devices import check_batch_size, replicated, shard_rows
from softnce_jax.train.objective import objective
from softnce_jax.train.state import create, learning_rate, optimizer
from softnce_jax.train.step import make_step

STEPS = 20


@pytest.fixture(scope="module")
def stand():
    """A small encoder with dropout, its batches and its parameters."""
    pairs = load_sample("python").train
    fast = train_tokenizer([text for pair in pairs for text in (pair.query, pair.code)], 400)
    config = RobertaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=66,
    )
    encoder = Encoder(
        AnyMaskRobertaModule(config), Tokenizer(fast), query_length=16, code_length=48
    )
    layout = Layout(encoder.tokenizer, 16, 48)
    average = average_length(layout.queries([pair.query for pair in pairs]))

    def features(index_B, query_ids, index_N):
        documents = layout.queries([pairs[i].query for i in index_N])
        return bm25_features(query_ids, average, documents=documents)

    indices = batch_indices(len(pairs), 8, seed=0)
    dataset = batches(indices, pairs, layout, features)
    # Of 64 functions with two queries each: hard ones are met twice and are rows' own, too.
    near = np.array([[2 * (i // 2) + 2, 2 * (i // 2) - 1] for i in range(len(pairs))]) % len(pairs)
    hard = batches(indices, pairs, layout, features, keys=True, negatives=near)
    params = jax.device_get(encoder.init(jax.random.key(0)))
    chosen = [[data[n] for n in range(STEPS)] for data in (dataset, hard)]
    return encoder, params, *chosen


def mesh_of(devices):
    return jax.make_mesh(
        (devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices]
    )


def losses(stand, *, devices=1, seed=0, precision="float32", own_negatives=False, hard=None):
    """The losses of 20 steps, or of some with hard negatives; how often the step was compiled."""
    encoder, params, data, with_hard = stand
    data = data if hard is None else with_hard[:hard]
    encoder = dataclasses.replace(encoder, module=encoder.module.clone(dtype=precision))
    config, _ = resolve(Config(), on_sample=True, train_pairs=128)
    mesh = mesh_of(devices)
    rate = learning_rate(1e-3, STEPS)
    tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0)
    whole = objective(config, 1.0)

    def part(q_BD, c_ND, batch):
        return whole(q_BD[:6], c_ND[:6], jax.tree.map(lambda x: x[:6], batch))

    step = make_step(encoder, part if own_negatives else whole, tx, rate, seed)
    state = jax.jit(lambda p: create(p, tx), out_shardings=replicated(mesh))(params)
    values = []
    for batch in data:
        state, metrics = step(state, shard_rows(batch, mesh))
        values.append(float(metrics["loss"]))
    return np.array(values), step.func._cache_size()


def test_devices_do_not_change_the_losses(stand):
    one, compilations = losses(stand)
    assert compilations == 1
    assert one[-4:].mean() < one[:4].mean()
    for devices in (2, 4):
        many, compilations = losses(stand, devices=devices)
        np.testing.assert_allclose(many, one, rtol=0, atol=1e-5)
        assert compilations == 1
    # The control: negatives of a part of the batch only give another loss.
    assert np.abs(losses(stand, own_negatives=True)[0] - one).max() > 1e-2


@pytest.mark.slow
def test_devices_do_not_change_the_losses_with_hard_negatives(stand):
    one, compilations = losses(stand, hard=4)
    assert compilations == 1
    for devices in (2, 4):
        np.testing.assert_allclose(losses(stand, devices=devices, hard=4)[0], one, atol=1e-5)
    # The control: they are there, one of them a function's own as well.
    encoder, params, data, with_hard = stand
    without = (encoder, params, None, data)
    assert (np.abs(losses(without, hard=4)[0] - one) > 0.1).all()
    assert np.isin(with_hard[0].code_keys[1::3], with_hard[0].code_keys[::3]).any()


def test_dropout_follows_the_seed(stand):
    assert np.array_equal(losses(stand)[0], losses(stand)[0])
    assert np.abs(losses(stand)[0] - losses(stand, seed=1)[0]).max() > 1e-4


def test_seeds_share_one_program_and_rates_do_not(stand):
    encoder, params, data, _ = stand
    config, _ = resolve(Config(), on_sample=True, train_pairs=128)

    def program(seed, peak):
        rate = learning_rate(peak, STEPS)
        tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0)
        step = make_step(encoder, objective(config, 1.0), tx, rate, seed)
        return step.func.lower(*step.args, create(params, tx), data[0]).as_text()

    assert program(1, 1e-3) == program(2, 1e-3) != program(1, 1e-2)


def test_bfloat16_is_close_and_not_equal(stand):
    exact, half = losses(stand)[0], losses(stand, precision="bfloat16")[0]
    assert half.dtype == np.float64 and 0 < np.abs(half - exact).max() < 0.1


def test_batch_size_divides_by_the_devices():
    check_batch_size(8, mesh_of(4))
    with pytest.raises(InputError, match="--batch-size 6 does not divide by 4 devices"):
        check_batch_size(6, mesh_of(4))
