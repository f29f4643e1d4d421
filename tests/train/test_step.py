"""The step: N devices equal one, one compilation, dropout follows the step, bf16 stays close."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import numpy as np
import optax
import pytest
from transformers import RobertaConfig

from softnce_jax.data.sample import load_sample
from softnce_jax.encoders.dropout import GENERATOR
from softnce_jax.encoders.encoder import Encoder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.roberta import RobertaModule
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.estimators.bm25 import average_length, bm25_features
from softnce_jax.mesh import check_batch_size, make_mesh, replicated, shard_rows
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.train.batches import Batch, PackedTexts, batch_indices, batches
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.objective import Objective
from softnce_jax.train.state import create, learning_rate, optimizer, with_scale
from softnce_jax.train.step import embed_slices, make_step

STEPS = 8
PEAK = 1e-2  # of the learning rate


class Run(NamedTuple):
    """The losses and gradient norms of steps, and how often the step was compiled."""

    losses: np.ndarray
    norms: np.ndarray
    compilations: int


class Trainer:
    """A small encoder with dropout, its batches, and compiled steps that tests share."""

    def __init__(self):
        pairs = load_sample("python").train
        fast = train_tokenizer([text for pair in pairs for text in (pair.query, pair.code)], 400)
        config = RobertaConfig(
            vocab_size=len(fast),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=66,
        )
        module, tokenizer = RobertaModule(config), Tokenizer(fast)
        self.encoder = Encoder(module, tokenizer, query_length=12, code_length=32)
        self.params = jax.device_get(jax.jit(self.encoder.init)(jax.random.key(0)))
        self.pairs, self.processor = pairs, Processor(tokenizer, 12, 32)
        self.average = average_length(self.processor.queries([pair.query for pair in pairs]))
        config, _ = resolve(Config(), on_sample=True, train_pairs=128)
        self.objective = Objective(config, 1.0)
        self.batches = functools.cache(self._batches)
        self.step = functools.cache(self._step)

    def features(self, index_B, query_ids, index_N):
        documents = self.processor.queries([self.pairs[i].query for i in index_N])
        return bm25_features(query_ids, self.average, documents=documents)

    def _batches(self, *, hard=False, padded=False, groups=1, size=8, steps=STEPS) -> list[Batch]:
        # Of 64 functions with two queries each: hard negatives occur twice, and as positives too.
        rows = len(self.pairs)
        near = np.array([[2 * (i // 2) + 2, 2 * (i // 2) - 1] for i in range(rows)]) % rows
        options = {"keys": True, "negatives": near} if hard else {}
        options |= {"groups": groups, "one_text_per_row": padded}
        indices = batch_indices(rows, size, seed=0)
        dataset = batches(indices, self.pairs, self.processor, self.features, **options)
        return [dataset[n] for n in range(steps)]

    def with_module(self, *, layers=1, **options) -> Encoder:
        """The encoder, its module changed."""
        config = RobertaConfig(**self.encoder.config.to_dict() | {"num_hidden_layers": layers})
        module = self.encoder.module.clone(config=config, **options)
        return dataclasses.replace(self.encoder, module=module)

    def _step(self, *, slices=1, seed=0, **module):
        """A step, and the optimiser of its state; `module` changes the encoder's."""
        rate = learning_rate(PEAK, STEPS)
        tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0)
        encoder = self.with_module(**module)
        return make_step(encoder, self.objective, tx, rate, seed, slices=slices), tx

    @functools.cached_property
    def first_loss(self) -> dict[int, float]:
        """The first step's loss by a forward pass, of the first 6 and of all 8 rows alone."""
        batch = self.batches(groups=1)[0]

        @jax.jit
        def loss(params, batch):
            key = jax.random.fold_in(jax.random.key(0, impl=GENERATOR), 0)
            q_BD, c_BD = embed_slices(self.encoder, params, batch.texts, key, 1)
            given = q_BD, c_BD, batch.query_features, batch.code_features
            parts = {rows: [x[:rows] for x in given] for rows in (6, 8)}
            return {n: self.objective(q, c, Batch(None, *ab)) for n, (q, c, *ab) in parts.items()}

        return jax.tree.map(float, loss(self.params, batch))

    def run(self, *, devices=1, slices=1, steps=STEPS, seed_of=None, drawn=None, **options) -> Run:
        """Steps from the first on; `drawn` says which batches."""
        step, tx = self.step(slices=slices, **options)
        if seed_of is not None:  # another run's seed, in this compiled step
            step = functools.partial(step.func, *self.step(seed=seed_of)[0].args)
        mesh = mesh_of(devices)
        state = jax.jit(lambda p: create(p, tx), out_shardings=replicated(mesh))(self.params)
        found = []
        data = self.batches(groups=devices * slices, **(drawn or {}))[:steps]
        before = step.func._cache_size()
        for batch in data:
            state, metrics = step(state, shard_rows(batch, mesh))
            found.append([float(metrics[name]) for name in ("loss", "grad_norm")])
        return Run(*np.transpose(found), step.func._cache_size() - before)


@pytest.fixture(scope="module")
def trainer():
    return Trainer()


@pytest.fixture(scope="module")
def one(trainer):
    """The run of one device."""
    return trainer.run()


def mesh_of(devices):
    return make_mesh(jax.devices()[:devices])


def test_devices_do_not_change_the_losses(trainer, one):
    """Dropout included, though each device packs its texts for itself."""
    assert one.losses[-4:].mean() < one.losses[:4].mean()
    many = trainer.run(devices=4)
    np.testing.assert_allclose(many.losses, one.losses, rtol=0, atol=1e-5)
    # The control: negatives of a part of the batch only give another loss.
    assert trainer.first_loss[8] == pytest.approx(one.losses[0], abs=1e-5)
    assert abs(trainer.first_loss[6] - one.losses[0]) > 1e-2


@pytest.mark.slow
def test_two_devices_do_not_change_the_losses(trainer, one):
    two = trainer.run(devices=2)
    np.testing.assert_allclose(two.losses, one.losses, rtol=0, atol=1e-5)


ELEMENTWISE = {"attention_dropout": "elementwise"}


@pytest.mark.parametrize(
    "options",
    [{}, pytest.param(ELEMENTWISE, marks=pytest.mark.slow)],
    ids=["shared", "elementwise"],
)
def test_packed_trains_as_padded(trainer, one, options):
    run = functools.partial(trainer.run, **options)
    packed, padded = run() if options else one, run(drawn={"padded": True})
    np.testing.assert_allclose(packed.losses, padded.losses, rtol=0, atol=1e-5)
    np.testing.assert_allclose(packed.norms, padded.norms, rtol=1e-4)
    # Two shapes of batches are two compilations, and no more.
    assert [packed.compilations, padded.compilations, run(steps=1).compilations] == [1, 1, 0]
    off = trainer.run(steps=4, attention_dropout="off")
    assert np.abs(off.losses - packed.losses[:4]).max() > 1e-4


@pytest.mark.slow
def test_devices_do_not_change_the_losses_with_hard_negatives(trainer, one):
    hard = trainer.run(drawn={"hard": True}, steps=4).losses
    for devices in (2, 4):
        many = trainer.run(devices=devices, drawn={"hard": True}, steps=4).losses
        np.testing.assert_allclose(many, hard, atol=1e-5)
    padded = trainer.run(drawn={"hard": True, "padded": True}, steps=4).losses
    np.testing.assert_allclose(padded, hard, atol=1e-5)
    # The control: they are there, one of them a positive of the batch as well.
    assert (np.abs(one.losses[:4] - hard) > 0.1).all()
    batch = trainer.batches(hard=True)[0]
    assert np.isin(batch.code_keys[1::3], batch.code_keys[::3]).any()


@pytest.mark.parametrize(
    ("devices", "slices"), [(2, 2), pytest.param(1, 4, marks=pytest.mark.slow)]
)
def test_slices_do_not_change_losses_and_gradients(trainer, one, devices, slices):
    sliced = trainer.run(devices=devices, slices=slices, steps=4)
    np.testing.assert_allclose(sliced.losses, one.losses[:4], rtol=0, atol=1e-5)
    np.testing.assert_allclose(sliced.norms, one.norms[:4], rtol=1e-4)
    # The control: a loss that knows a part of the batch only.
    assert abs(trainer.first_loss[6] - one.losses[0]) > 1e-2


def temporary_memory(trainer, *, slices=1, **module):
    """What the gradient of 64 pairs takes beside its arguments, in bytes."""
    encoder, key = trainer.with_module(**module), jax.random.key(0)
    texts = trainer.batches(groups=slices, size=64, steps=1)[0].texts

    def loss(params, texts):
        q_BD, c_ND = embed_slices(encoder, params, texts, key, slices)
        return (q_BD @ c_ND.T).sum()

    params = jax.eval_shape(encoder.init, key)
    compiled = jax.jit(jax.grad(loss)).lower(params, texts).compile()
    return compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.slow
def test_slices_bound_the_memory(trainer):
    assert temporary_memory(trainer, slices=8) < temporary_memory(trainer) / 3


def test_recomputing_changes_nothing(trainer, one):
    recomputed = trainer.run(steps=3, gradient_checkpointing=True)
    np.testing.assert_allclose(recomputed.losses, one.losses[:3], atol=1e-5)


@pytest.mark.slow
def test_recomputing_lowers_the_memory(trainer):
    plain, recomputed = (
        temporary_memory(trainer, layers=3, gradient_checkpointing=on) for on in (False, True)
    )
    assert recomputed < 0.6 * plain


def test_dropout_follows_the_seed(trainer, one):
    assert np.array_equal(trainer.run(steps=3).losses, one.losses[:3])
    other = trainer.run(steps=3, seed_of=1)
    assert other.compilations == 0
    assert np.abs(other.losses - one.losses[:3]).max() > 1e-4


def test_the_generator_of_the_environment_does_not_matter(trainer, one):
    fresh = Trainer()  # its step is not compiled yet
    with jax.default_prng_impl("rbg"):
        found = fresh.run(steps=3).losses
    np.testing.assert_array_equal(found, one.losses[:3])


class Noise:
    """An encoder of two texts whose vectors are a parameter and its dropout."""

    def embed(self, params, rows, *, key):
        return params["kernel"] * jax.random.uniform(key, (1, 2, 3))


def test_seeds_share_one_program_and_rates_do_not():
    batch = two_texts()

    def step_and_state(seed, peak=PEAK):
        rate = learning_rate(peak, STEPS)
        tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0)
        step = make_step(Noise(), lambda q_BD, c_BD, _: (q_BD * c_BD).sum(), tx, rate, seed)
        return step, create({"kernel": np.float32(1.0)}, tx)

    def program(*given):
        step, state = step_and_state(*given)
        return step.func.lower(*step.args, state, batch).as_text()

    assert program(1) == program(2) != program(1, PEAK / 2)
    # The control: the seed does count.
    losses = [step(state, batch)[1]["loss"] for step, state in map(step_and_state, (1, 2))]
    assert losses[0] != losses[1]


def two_texts() -> Batch:
    texts = PackedTexts(None, np.array([[0]], np.int32), np.array([[1]], np.int32))
    return Batch(texts, None, None)


class Fixed:
    """An encoder of two texts whose vectors are a parameter."""

    def embed(self, params, rows, *, key):
        return params["kernel"] * jax.numpy.array([[[1.0, 2.0], [3.0, -1.0]]])


def test_a_learned_scale_takes_a_step_of_its_own():
    """Its gradient neither clips that of the parameters nor is clipped with it."""
    rate = learning_rate(PEAK, STEPS)
    tx = optimizer(rate, clip_norm=1.0, weight_decay=0.5)
    loss = lambda q, c, _, scale=2.0: scale * (q * c).sum()
    build = functools.partial(make_step, Fixed(), loss, tx, rate, 0, scale_tx=optax.adam(0.1))
    params = {"kernel": np.float32(3.0)}
    plain, metrics = build()(create(params, tx), two_texts())
    learned, learned_metrics = build()(
        with_scale(create(params, tx), 2.0, optax.adam(0.1)), two_texts()
    )
    assert learned_metrics.pop("scale") == 2.0
    assert metrics == learned_metrics
    assert learned.params["kernel"] == plain.params["kernel"]
    # The loss grows with the scale, so its logarithm falls by the rate; the state has it.
    np.testing.assert_allclose(learned.scale.log, np.log(2.0) - 0.1, rtol=1e-5)
    assert set(metrics) == {"loss", "grad_norm", "learning_rate"}  # without it nothing is logged


@pytest.mark.slow
def test_slices_and_devices_learn_the_same_scale(trainer):
    rate = learning_rate(PEAK, STEPS)
    tx, scale_tx = optimizer(rate, clip_norm=1.0, weight_decay=0.0), optax.sgd(0.1)

    def scales(devices, slices):
        step = make_step(
            trainer.encoder, trainer.objective, tx, rate, 0, slices=slices, scale_tx=scale_tx
        )
        mesh, found = mesh_of(devices), []
        make = lambda params: with_scale(create(params, tx), 3.0, scale_tx)
        state = jax.jit(make, out_shardings=replicated(mesh))(trainer.params)
        for batch in trainer.batches(groups=devices * slices)[:3]:
            state, metrics = step(state, shard_rows(batch, mesh))
            found.append(float(metrics["scale"]))
        return found

    wanted = scales(1, 1)
    np.testing.assert_allclose(scales(2, 2), wanted, rtol=1e-5)
    assert wanted[0] == pytest.approx(3.0) and abs(wanted[2] - wanted[1]) > 1e-3


def test_bfloat16_is_close_and_not_equal(trainer, one):
    half = trainer.run(dtype="bfloat16")
    assert 0 < np.abs(half.losses - one.losses).max() < 0.1


def test_batch_size_is_divisible_by_the_devices():
    check_batch_size(8, mesh_of(4))
    with pytest.raises(InputError, match="--batch-size 6 is not divisible by 4 devices"):
        check_batch_size(6, mesh_of(4))
    with pytest.raises(InputError, match="--micro-batch 2 is not divisible by 4 devices"):
        check_batch_size(8, mesh_of(4), 2)
