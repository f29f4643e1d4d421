"""Training of a static encoder: a whole run, its checkpoints, exports, refusals, devices."""

from __future__ import annotations

import functools
import shutil

import jax
import numpy as np
import optax
import pytest

from softnce_jax import load_static
from softnce_jax.commands.evaluate import Flags, evaluate
from softnce_jax.encoders.processor import Processor
from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh, replicated, shard_rows
from softnce_jax.pretrained.static import write_static
from softnce_jax.pretrained.static_starts import static_from_texts
from softnce_jax.retrieval.metrics import mrr
from softnce_jax.retrieval.ranking import rank
from softnce_jax.train import setup
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config
from softnce_jax.train.fit import fit
from softnce_jax.train.objective import Objective
from softnce_jax.train.setup import build_encoder, settle
from softnce_jax.train.state import create, learning_rate
from softnce_jax.train.step import make_step
from tests.train.corpus import write_tasks
from tests.train.prepare import prepare
from tests.train.runs import logged_lines, metrics, same_run


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module", autouse=True)
def small_tables():
    with pytest.MonkeyPatch.context() as patch:
        small = functools.partial(static_from_texts, dimensions=32)
        patch.setattr(setup, "static_from_texts", small)
        yield


def config(tasks, out="", **given) -> Config:
    settings = {"encoder": "static", "epochs": 4, "batch_size": 8, "evaluate_every": 2.0}
    settings |= {"learning_rate": 1e-2}
    return Config(lang="python", data=str(tasks), out=str(out) or None, **(settings | given))


@pytest.fixture(scope="module")
def run(tasks, tmp_path_factory):
    """A run from start to end: its folder, results and what it logged."""
    out = tmp_path_factory.mktemp("runs") / "static"
    with logged_lines() as lines:
        results = fit(config(tasks, out))
    return out, results, "\n".join(lines)


def test_the_loss_falls(run):
    out, results, logged = run
    assert "encoder   static" in logged and "mean pooling, cosine, float32" in logged
    losses = [line["loss"] for line in metrics(out) if "loss" in line]
    assert len(losses) == 12 and sum(losses[-3:]) < 0.8 * sum(losses[:3])
    assert results["config"]["random_generator"] and results["config"]["encoder_hash"] is None


def test_its_model_answers_without_jax_as_the_run_did(run, tasks):
    out, results, _ = run
    _, data = prepare(config(tasks))
    (corpus,) = data.corpora
    model = load_static(out)
    row = {function.url: n for n, function in enumerate(corpus.codebase)}
    q = model.encode_query([pair.query for pair in corpus.test])
    c = model.encode_document([function.code for function in corpus.codebase])
    ranks = rank(q, c, [row[pair.url] for pair in corpus.test])
    assert mrr(ranks) == pytest.approx(results["metrics"]["python"]["trained"]["mrr"]["value"])
    untrained = build_encoder(prepare(config(tasks))[0], data.train)
    assert np.abs(untrained[1]["embeddings"] - model.table.embeddings).max() > 1e-3


@pytest.mark.parametrize("what", ["", "model", "checkpoints"])
def test_a_run_its_model_and_its_checkpoint_are_evaluated(what, run, tasks, tmp_path):
    out, results, _ = run
    best = str(results["best"]["step"]) * (what == "checkpoints")
    flags = Flags(model=str(out / what / best), lang="python", data=str(tasks), out=str(tmp_path))
    found = evaluate(flags)["metrics"]["python"]
    expected = results["metrics"]["python"]["trained"]["mrr"]["value"]
    assert found["model"]["mrr"]["value"] == pytest.approx(expected)


def test_the_same_call_goes_on_from_a_checkpoint(run, tasks, tmp_path):
    out, _, _ = run
    shutil.copytree(out, tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "model")
    shutil.rmtree(tmp_path / "again" / "checkpoints" / "12")
    (tmp_path / "again" / "results.json").unlink()
    fit(config(tasks, tmp_path / "again"))
    assert same_run(out, tmp_path / "again")


def test_a_folder_is_trained_on_with_the_defaults_of_static(run, tasks, tmp_path):
    out, _, _ = run
    given = config(tasks, encoder=str(out), learning_rate=None, epochs=None)
    settled, data = prepare(given)
    of_preset, _ = prepare(config(tasks, learning_rate=None, epochs=None))
    names = ("learning_rate", "epochs", "query_length", "code_length", "dataflow", "flow_length")
    assert [getattr(settled, n) for n in names] == [getattr(of_preset, n) for n in names]
    encoder, params = build_encoder(settled, data.train)
    assert encoder.normalize
    np.testing.assert_array_equal(params["embeddings"], load_static(out).table.embeddings)


@pytest.mark.parametrize("loss", ["infonce", "soft_infonce"])
def test_devices_change_no_step(loss, tasks):
    """Losses and parameters after three steps on one device and on four, in one group each."""
    settled, data = prepare(config(tasks, loss=loss, estimator=None))
    encoder, params = build_encoder(settled, data.train)
    processor = Processor.of(encoder)
    rng = np.random.default_rng(0)
    a_RF = rng.normal(size=(len(data.train), 4)).astype(np.float32)
    features = lambda index_B, _, index_N: (a_RF[index_B], a_RF[index_N])
    given = features if settled.estimator != "none" else None

    def run(devices):
        mesh = make_mesh(jax.devices()[:devices])
        rate = learning_rate(0.1, 8)
        tx = optax.sgd(rate)  # Adam's first steps are the signs of what may be rounding
        step = make_step(encoder, Objective(settled, 20.0), tx, rate, 0)
        state = jax.device_put(create(params, tx), replicated(mesh))
        loader = batches(
            batch_indices(len(data.train), 8, 0), data.train, processor, given, groups=devices
        )
        losses = []
        for number in range(3):
            state, values = step(state, shard_rows(loader[number], mesh))
            losses.append(float(values["loss"]))
        return np.array(losses), jax.device_get(state.params)

    (one, of_one), (four, of_four) = run(1), run(4)
    np.testing.assert_allclose(one, four, rtol=1e-5)
    assert len(set(one)) == 3
    for name in of_one:
        np.testing.assert_allclose(of_one[name], of_four[name], atol=1e-6)


REFUSED = [
    ({"query_length": 8}, "--query-length 8 does not apply to --encoder static"),
    ({"code_length": 8}, "--code-length 8 does not apply to --encoder static"),
    ({"micro_batch": 4}, "--micro-batch 4 does not apply"),
    ({"gradient_checkpointing": True}, "--gradient-checkpointing does not apply"),
    ({"layout": "padded"}, "--layout padded does not apply"),
    ({"precision": "bfloat16"}, "--precision bfloat16 does not apply"),
    ({"attention_dropout": "off"}, "--attention-dropout off does not apply"),
    ({"dataflow": "published", "flow_length": 8}, "--dataflow published does not apply"),
]


@pytest.fixture(scope="module")
def data(tasks):
    return prepare(config(tasks))[1]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_flags_of_a_network_are_refused(given, message, data, tasks):
    settled, _ = settle(config(tasks, **given), data)
    with pytest.raises(InputError, match=message):
        build_encoder(settled, data.train)


def test_a_static_model_of_the_hub_is_named_by_its_folder(run, tasks, monkeypatch):
    from softnce_jax.pretrained import load

    settled, data = prepare(config(tasks, encoder="someone/static"))
    monkeypatch.setattr(load, "locate", lambda *_, **__: run[0] / "model")
    with pytest.raises(InputError, match="someone/static is a static model: name its folder"):
        build_encoder(settled, data.train)


def test_similarity_is_what_the_flag_says(run, tasks, tmp_path):
    settled, data = prepare(config(tasks, similarity="dot"))
    encoder, params = build_encoder(settled, data.train)
    write_static(tmp_path / "model", encoder.bind(params))
    model = load_static(tmp_path / "model")
    assert (model.normalize, model.similarity_name) == (False, "dot")
