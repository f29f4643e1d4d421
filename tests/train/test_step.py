"""The step: N devices equal one, one compilation, dropout follows the step, bf16 stays close."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import numpy as np
import pytest
from jax.sharding import AxisType
from transformers import RobertaConfig

from softnce_jax.data.sample import load_sample
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.roberta import AnyMaskRobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.estimators.bm25 import average_length, bm25_features
from softnce_jax.mesh import check_batch_size, replicated, shard_rows
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.train.batches import Batch, batch_indices, batches
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.objective import Objective
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
    processor = Processor(encoder.tokenizer, 16, 48)
    average = average_length(processor.queries([pair.query for pair in pairs]))

    def features(index_B, query_ids, index_N):
        documents = processor.queries([pairs[i].query for i in index_N])
        return bm25_features(query_ids, average, documents=documents)

    # Of 64 functions with two queries each: hard negatives occur twice, and as positives too.
    near = np.array([[2 * (i // 2) + 2, 2 * (i // 2) - 1] for i in range(len(pairs))]) % len(pairs)

    @functools.cache
    def drawn(*, hard=False, padded=False, groups=1, size=8):
        options = {"keys": True, "negatives": near} if hard else {}
        options |= {"groups": groups, "one_text_per_row": padded}
        indices = batch_indices(len(pairs), size, seed=0)
        data = batches(indices, pairs, processor, features, **options)
        return [data[n] for n in range(STEPS)]

    return encoder, jax.device_get(encoder.init(jax.random.key(0))), drawn


def mesh_of(devices):
    return jax.make_mesh(
        (devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices]
    )


class Run(NamedTuple):
    """The losses of 20 steps, or of some; compilations and shapes; the first gradient norm."""

    losses: np.ndarray
    compilations: int
    shapes: int
    norms: np.ndarray


def run(
    stand,
    *,
    devices=1,
    slices=1,
    seed=0,
    steps=STEPS,
    own_negatives=False,
    module=None,
    **drawn,
):
    """Steps from the first on; `drawn` says which batches, `module` changes the encoder's."""
    encoder, params, batches_of = stand
    data = batches_of(groups=devices * slices, **drawn)[:steps]
    encoder = dataclasses.replace(encoder, module=encoder.module.clone(**module or {}))
    config, _ = resolve(Config(), on_sample=True, train_pairs=128)
    mesh = mesh_of(devices)
    rate = learning_rate(1e-3, STEPS)
    tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0)
    whole = Objective(config, 1.0)

    def part(q_BD, c_ND, batch):
        features = (x[:6] for x in (batch.query_features, batch.code_features))
        return whole(q_BD[:6], c_ND[:6], Batch(batch.texts, *features))

    step = make_step(encoder, part if own_negatives else whole, tx, rate, seed, slices=slices)
    state = jax.jit(lambda p: create(p, tx), out_shardings=replicated(mesh))(params)
    found = []
    for batch in data:
        state, metrics = step(state, shard_rows(batch, mesh))
        found.append([float(metrics[name]) for name in ("loss", "grad_norm")])
    shapes = {jax.tree.leaves(batch.texts)[0].shape for batch in data}
    losses, norms = np.transpose(found)
    return Run(losses, step.func._cache_size(), len(shapes), norms)


def test_devices_do_not_change_the_losses(stand):
    """Dropout included, though each device packs its texts for itself."""
    one = run(stand)
    assert one.compilations == one.shapes <= 4
    assert one.losses[-4:].mean() < one.losses[:4].mean()
    for devices in (2, 4):
        many = run(stand, devices=devices)
        np.testing.assert_allclose(many.losses, one.losses, rtol=0, atol=1e-5)
        assert many.compilations == many.shapes <= 4
    # The control: negatives of a part of the batch only give another loss.
    assert np.abs(run(stand, own_negatives=True).losses - one.losses).max() > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("attention_dropout", ["shared", "elementwise"])
def test_packed_trains_as_padded(stand, attention_dropout):
    module = {"attention_dropout": attention_dropout}
    packed, padded = (run(stand, padded=padded, module=module) for padded in (False, True))
    np.testing.assert_allclose(packed.losses, padded.losses, rtol=0, atol=1e-5)
    np.testing.assert_allclose(packed.norms, padded.norms, rtol=1e-4)
    assert padded.compilations == padded.shapes == 1
    off = run(stand, steps=4, module={"attention_dropout": "off"})
    assert np.abs(off.losses - packed.losses[:4]).max() > 1e-4


@pytest.mark.slow
def test_devices_do_not_change_the_losses_with_hard_negatives(stand):
    one = run(stand, hard=True, steps=4).losses
    for devices in (2, 4):
        many = run(stand, devices=devices, hard=True, steps=4).losses
        np.testing.assert_allclose(many, one, atol=1e-5)
    padded = run(stand, hard=True, steps=4, padded=True).losses
    np.testing.assert_allclose(padded, one, atol=1e-5)
    # The control: they are there, one of them a positive of the batch as well.
    assert (np.abs(run(stand, steps=4).losses - one) > 0.1).all()
    batch = stand[2](hard=True)[0]
    assert np.isin(batch.code_keys[1::3], batch.code_keys[::3]).any()


@pytest.mark.parametrize(("devices", "slices"), [(1, 4), (2, 2)])
def test_slices_do_not_change_losses_and_gradients(stand, devices, slices):
    whole = run(stand, steps=4)
    sliced = run(stand, devices=devices, slices=slices, steps=4)
    np.testing.assert_allclose(sliced.losses, whole.losses, rtol=0, atol=1e-5)
    np.testing.assert_allclose(sliced.norms, whole.norms, rtol=1e-4)
    # The control: a loss that knows its slice only.
    assert np.abs(run(stand, own_negatives=True, steps=4).losses - whole.losses).max() > 1e-2


def temporary_memory(stand, batch, **options):
    """What the compiled step of a batch takes beside its arguments, in bytes."""
    encoder = stand[0]
    config, _ = resolve(Config(loss="infonce"), on_sample=True, train_pairs=128)
    rate = learning_rate(1e-3, STEPS)
    tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0)
    encoder = dataclasses.replace(encoder, module=options.pop("module", encoder.module))
    step = make_step(encoder, Objective(config, 1.0), tx, rate, 0, **options)
    state = jax.eval_shape(lambda key: create(encoder.init(key), tx), jax.random.key(0))
    lowered = step.func.lower(*step.args, state, batch)
    return lowered.compile().memory_analysis().temp_size_in_bytes


def test_slices_bound_the_memory(stand):
    whole, sliced = (
        temporary_memory(stand, stand[2](groups=n, size=64)[0], slices=n) for n in (1, 8)
    )
    assert sliced < whole / 3


def test_checkpointing_lowers_the_memory(stand):
    small = stand[0].module
    deep = small.clone(config=RobertaConfig(**small.config.to_dict() | {"num_hidden_layers": 6}))
    plain, checkpointed = (
        temporary_memory(stand, stand[2](size=64)[0], module=deep.clone(gradient_checkpointing=on))
        for on in (False, True)
    )
    assert checkpointed < 0.6 * plain
    kept = run(stand, steps=3, module={"gradient_checkpointing": True}).losses
    np.testing.assert_allclose(kept, run(stand, steps=3).losses, atol=1e-5)


def test_dropout_follows_the_seed(stand):
    first = run(stand, steps=3).losses
    assert np.array_equal(run(stand, steps=3).losses, first)
    assert np.abs(run(stand, steps=3, seed=1).losses - first).max() > 1e-4


def test_the_generator_of_the_environment_does_not_matter(stand):
    first = run(stand, steps=3).losses
    with jax.default_prng_impl("rbg"):
        np.testing.assert_array_equal(run(stand, steps=3).losses, first)


def test_seeds_share_one_program_and_rates_do_not(stand):
    encoder, params, batches_of = stand
    config, _ = resolve(Config(), on_sample=True, train_pairs=128)

    def program(seed, peak):
        rate = learning_rate(peak, STEPS)
        tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0)
        step = make_step(encoder, Objective(config, 1.0), tx, rate, seed)
        return step.func.lower(*step.args, create(params, tx), batches_of()[0]).as_text()

    assert program(1, 1e-3) == program(2, 1e-3) != program(1, 1e-2)


def test_bfloat16_is_close_and_not_equal(stand):
    exact, half = run(stand).losses, run(stand, module={"dtype": "bfloat16"}).losses
    assert 0 < np.abs(half - exact).max() < 0.1


def test_batch_size_divides_by_the_devices():
    check_batch_size(8, mesh_of(4))
    with pytest.raises(InputError, match="--batch-size 6 is not divisible by 4 devices"):
        check_batch_size(6, mesh_of(4))
    with pytest.raises(InputError, match="--micro-batch 2 is not divisible by 4 devices"):
        check_batch_size(8, mesh_of(4), 2)
