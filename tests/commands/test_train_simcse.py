"""SimCSE: flags, the loss by hand, a whole run, resumed to the bit, and what it refuses."""

from __future__ import annotations

import copy
import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from softnce_jax.commands.evaluate import Flags as EvaluateFlags
from softnce_jax.commands.evaluate import evaluate
from softnce_jax.commands.train_simcse import (
    Flags,
    sentence_encoder,
    settle,
    train_simcse,
    with_themselves,
)
from softnce_jax.data.corpus import Pair, unique_queries
from softnce_jax.data.load import load_corpora
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.processor import Processor
from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh, shard_rows
from softnce_jax.pretrained.load import load
from softnce_jax.retrieval.tasks import SentenceTask
from softnce_jax.train import run_folder as run_module
from softnce_jax.train import setup
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.setup import build_step, schedule_of
from tests import reference
from tests.data.folders import write_folder
from tests.pretrained.folders import sentence_files
from tests.retrieval import reference as geometry
from tests.train.corpus import write_tasks
from tests.train.runs import logged_lines, metrics, same_run, to_be_killed
from tests.train.sentence_models import write_bert, write_distilbert

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_distilbert(tmp_path_factory.mktemp("models") / "distilbert")


def flags(tasks, model, out="nowhere", **given) -> Flags:
    settings = {"epochs": 4, "batch_size": 8, "query_length": 16, "learning_rate": 1e-3}
    paths = {"data": str(tasks), "model": str(model), "out": str(out)}
    return Flags(**({"lang": "python"} | paths | settings | given))


@pytest.fixture(scope="module")
def whole(tasks, model, tmp_path_factory):
    """A run from start to end: its folder, results and what it logged."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    with logged_lines() as lines:
        results = train_simcse(flags(tasks, model, out))
    return out, results, "\n".join(lines)


def test_the_papers_values():
    given, finetuning, notes = settle(Flags(), queries=900_000)
    assert (given.batch_size, given.epochs, given.learning_rate) == (256, 10, 5e-4)
    assert (given.query_length, given.temperature, given.lang) == (128, 0.07, "all")
    assert given.model == "sentence-transformers/msmarco-distilbert-dot-v5"
    assert given.out == "runs/simcse-all-msmarco-distilbert-dot-v5-1234" and notes == []
    assert (finetuning.loss, finetuning.estimator) == ("infonce", "none")
    assert finetuning.scale == pytest.approx(1 / 0.07)
    assert (finetuning.query_length, finetuning.code_length) == (128, 128)
    for name in ("batch_size", "epochs", "learning_rate", "seed", "keep", "clip_norm", "out"):
        assert getattr(finetuning, name) == getattr(given, name)
    assert finetuning.encoder == given.model


def test_a_query_stands_for_both_texts_of_its_code():
    pair = Pair("sort a list", "def f ( )", "u", "ruby", source="def f()")
    (found,) = with_themselves([pair])
    assert (found.code, found.source, found.url) == ("sort a list", "sort a list", "u")


def test_both_passes_read_the_prompt_of_queries(tasks, tmp_path, monkeypatch):
    model = write_distilbert(tmp_path / "model")
    about = {"prompts": {"query": "find the ", "document": "open a "}}
    sentence_files(model, model=about)

    class Seen(Exception):
        pass

    def batches_of(config, pairs, processor, *rest):
        raise Seen(processor, pairs[0])

    monkeypatch.setattr(setup, "make_batches", batches_of)
    with pytest.raises(Seen) as caught:
        train_simcse(flags(tasks, model, tmp_path / "run"))
    processor, pair = caught.value.args
    encoder = dataclasses.replace(load(model)[0], query_length=16)
    plain = encoder.tokenizer.tokenize([f"find the {pair.query}"], 16)
    for (found,) in (processor.queries([pair.query]), processor.codes([pair])):
        assert [found.tolist()] == plain
    assert SentenceTask([pair], Embedder(encoder, make_mesh(jax.devices()[:1])))._query_ids == plain
    assert plain != load(model)[0].tokenizer.tokenize([pair.query], 16)


def test_only_a_default_batch_size_shrinks():
    given, finetuning, (note,) = settle(Flags(), queries=128)
    assert given.batch_size == finetuning.batch_size == 128 and "256 -> 128" in note
    with pytest.raises(InputError, match="--batch-size 256 but only 128"):
        settle(Flags(batch_size=256), queries=128)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": 0.0}, "--temperature 0.0: expected"),
        ({"temperature": float("nan")}, "--temperature nan: expected"),
        ({"epochs": 0}, "--epochs 0: expected"),
        ({"batch_size": 1}, "leaves no negatives"),
        ({"query_length": 0}, "--query-length 0: expected"),
    ],
)
def test_contradictions(given, message):
    with pytest.raises(InputError, match=message):
        settle(Flags(**given), queries=500)


def prepared(flags):
    """The configuration of fine-tuning that the flags mean, its corpora and its pairs."""
    corpora, _ = load_corpora(flags.data, flags.lang)
    queries = unique_queries([pair for corpus in corpora for pair in corpus.train])
    _, config, _ = settle(flags, queries=len(queries))
    return config, corpora, with_themselves(queries)


def passes_and_loss(tasks, model, *, dropping=True, step=True):
    """The vectors of a batch's two passes, and the loss of the first step on it."""
    config, _, pairs = prepared(flags(tasks, model))
    encoder, params = sentence_encoder(config, pairs)
    if not dropping:
        still = copy.deepcopy(encoder.config)
        still.hidden_dropout_prob = still.attention_probs_dropout_prob = 0.0
        encoder = dataclasses.replace(encoder, module=encoder.module.clone(config=still))
    mesh, processor = make_mesh(jax.devices()[:1]), Processor.of(encoder)
    indices = batch_indices(len(pairs), 8, config.seed)
    ids = encoder.tokenizer.pad(processor.queries([pairs[i].query for i in indices[0]]), 16)
    key = jax.random.fold_in(jax.random.key(config.seed), 0)
    # Texts 0 to 7 of the batch are its queries, 8 to 15 the same ones as code.
    passes = np.split(jax.jit(encoder.embed)(params, np.concatenate([ids, ids]), key=key), 2)
    if not step:
        return passes, None
    batch = batches(indices, pairs, processor, groups=mesh.size)[0]
    take, state = build_step(config, encoder, params, schedule_of(config, len(pairs)), mesh)
    return passes, float(take(state, shard_rows(batch, mesh))[1]["loss"])


def test_the_loss_is_the_cross_entropy_of_two_dropout_passes(tasks, tmp_path):
    (a, b), loss = passes_and_loss(tasks, write_bert(tmp_path / "model"))
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1.0, rtol=1e-6)
    wanted = reference.mean(reference.infonce(a, b, scale=1 / 0.07))
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert np.abs(a - b).max() > 1e-2
    # The controls: another temperature; one pass against itself.
    assert abs(reference.mean(reference.infonce(a, b, scale=1 / 0.05)) - wanted) > 1e-3
    assert abs(reference.mean(reference.infonce(a, a, scale=1 / 0.07)) - wanted) > 1e-3


@pytest.mark.slow
def test_without_dropout_the_passes_are_one(tasks, model):
    (one, other), _ = passes_and_loss(tasks, model, step=False)
    (a, b), loss = passes_and_loss(tasks, model, dropping=False)
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert loss == pytest.approx(reference.mean(reference.infonce(a, a, scale=1 / 0.07)), rel=1e-5)
    assert abs(loss - reference.mean(reference.infonce(one, other, scale=1 / 0.07))) > 1e-3


def test_a_static_encoder_is_refused(tasks):
    """It has no dropout; the length of SimCSE, which no flag gave, is not what is wrong."""
    _, config, _ = settle(dataclasses.replace(flags(tasks, "static"), lang="python"), queries=24)
    with pytest.raises(InputError, match="static: a static encoder has no dropout, so the two"):
        sentence_encoder(config, [])


def test_logs_its_plan_and_its_results(whole):
    out, results, logged = whole
    for part in (
        "python: 24 train, 8 valid queries",
        "24 different ones to train on: 0 duplicates of 24 removed",
        "mean pooling, cosine, float32",
        "infonce of two dropout passes (0.1, attention 0.1), cosine / 0.07",
        "4 epochs of batches of 8: 12 steps, evaluated every 3, seed 1234",
        "8 validation queries; alignment over 4 pairs: two queries with the same code",
        str(out),
    ):
        assert part in logged
    assert json.loads((out / "results.json").read_text()) == results
    assert results["protocol"]["selection"] == "the last step"


def test_the_loss_falls_and_queries_spread(whole):
    out, results, _ = whole
    losses = [line["loss"] for line in metrics(out) if "loss" in line]
    assert len(losses) == 12 and sum(losses[-3:]) < 0.8 * sum(losses[:3])
    before, after = (results["metrics"][name]["uniformity"] for name in ("before", "after"))
    assert after < before - 0.1


def test_alignment_and_uniformity_are_those_of_the_validation_queries(whole, tasks, model):
    out, results, _ = whole
    queries = [json.loads(line)["query"] for line in (tasks / "valid.jsonl").open()]
    for folder, name in ((model, "before"), (out / "model", "after")):
        encoder, params = load(folder)
        ids = encoder.tokenizer.pad(encoder.tokenizer.tokenize(queries, 16), 16)
        x = np.asarray(jax.jit(encoder.embed)(params, ids), np.float64)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        wanted = {
            "alignment": geometry.alignment(x[::2], x[1::2]),
            "uniformity": geometry.uniformity(x),
        }
        assert results["metrics"][name] == pytest.approx(wanted, abs=1e-5)
    evaluations = [line for line in metrics(out) if "valid_uniformity" in line]
    assert [line["step"] for line in evaluations] == [3, 6, 9, 12]
    assert evaluations[-1]["valid_uniformity"] == results["metrics"]["after"]["uniformity"]
    assert evaluations[-1]["valid_alignment"] == results["metrics"]["after"]["alignment"]


def test_the_model_is_a_sentence_encoder(whole):
    encoder, params = load(whole[0] / "model")
    assert (encoder.pooling, encoder.normalize, encoder.query_length) == ("mean", True, 16)
    library = pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed (parity of exports)"
    )
    texts = ["sort a list of numbers", "", "find the longest word"]
    ids = encoder.tokenizer.pad(encoder.tokenizer.tokenize(texts, 16), 16)
    found = library.SentenceTransformer(str(whole[0] / "model"), device="cpu").encode(texts)
    assert np.abs(found - encoder.embed(params, ids)).max() < 1e-5


def measured(tasks, model):
    """Alignment and uniformity of a model before training, and the task that measured them."""
    config, (corpus,), pairs = prepared(flags(tasks, model))
    encoder, params = sentence_encoder(config, pairs)
    task = SentenceTask(corpus.valid, Embedder(encoder, make_mesh(jax.devices())))
    return task.measure(params), task


@pytest.mark.slow
def test_another_run_can_start_from_it(whole, tasks):
    assert measured(tasks, whole[0] / "model")[0] == whole[1]["metrics"]["after"]


def test_a_finished_run_is_shown_again(whole, tasks, model, caplog):
    out, results, _ = whole
    assert train_simcse(flags(tasks, model, out)) == results
    assert "uniformity" in caplog.text


def test_another_configuration_names_the_fields(whole, tasks, model):
    with pytest.raises(InputError, match=r"configuration \(temperature: 0.07 -> 0.1"):
        train_simcse(flags(tasks, model, whole[0], temperature=0.1))


def test_another_model_under_the_same_name_is_refused(whole, tasks, model, monkeypatch):
    monkeypatch.setattr(setup, "fingerprint", lambda *_, **__: "another")
    with pytest.raises(InputError, match=f"encoder_hash: {model} has other weights"):
        train_simcse(flags(tasks, model, whole[0]))


@pytest.mark.slow
def test_a_signal_saves_and_the_same_call_resumes(
    whole, tasks, model, tmp_path, monkeypatch, caplog
):
    log = run_module.RunFolder.log

    def log_and_signal(self, line):
        log(self, line)
        if line["step"] == 4:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(run_module.RunFolder, "log", log_and_signal)
        train_simcse(flags(tasks, model, tmp_path / "run"))
    assert not (tmp_path / "run" / "results.json").exists()
    train_simcse(flags(tasks, model, tmp_path / "run"))
    assert "resuming after step" in caplog.text
    assert same_run(whole[0], tmp_path / "run")


def test_duplicates_are_no_negatives(model):
    _, corpora, pairs = prepared(flags("sample", model, lang="all"))
    assert len(pairs) == 128 and sum(len(corpus.train) for corpus in corpora) == 768
    assert len({pair.query.lower() for pair in pairs}) == 128


@pytest.mark.slow
def test_without_paraphrases_alignment_is_of_two_dropout_passes(tasks, model, tmp_path):
    rows = [json.loads(line) for line in (tasks / "train.jsonl").open()]
    single = write_folder(tmp_path / "single", train=rows, valid=rows[::2], codebase=rows[::2])
    values, task = measured(single, model)
    assert (task.positives, task.positive_pairs) == ("two dropout passes", 12)
    assert 1e-3 < values["alignment"] < 2 and measured(single, model)[0] == values


def test_no_dropout_is_an_error(tasks, tmp_path):
    for write in (write_bert, write_distilbert):
        still = write(tmp_path / write.__name__, dropout=0.0)
        with pytest.raises(InputError, match="every dropout to 0, so the two passes of a query"):
            train_simcse(flags(tasks, still, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_errors_leave_nothing_behind(tasks, model, tmp_path):
    for given, message in (
        ({"batch_size": 10}, "--batch-size 10 is not divisible by 4 devices"),
        ({"query_length": 99}, "--query-length 99, but .* has 40 positions"),
        ({"lang": "cobol"}, "unknown language 'cobol'"),
        ({"lang": "cobol", "epochs": 0}, "--epochs 0: expected int >= 1"),
    ):
        with pytest.raises(InputError, match=message):
            train_simcse(flags(tasks, model, tmp_path / "run", **given))
        assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="nowhere: no such folder"):
        train_simcse(flags(tasks, tmp_path / "nowhere", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_its_checkpoints_are_no_retrieval_models(whole, tasks, tmp_path):
    given = {"lang": "python", "data": str(tasks), "out": str(tmp_path / "out")}
    model = str(whole[0] / "checkpoints" / "12")
    with pytest.raises(InputError, match=r"has no \w+\); name a finished run or its model/"):
        evaluate(EvaluateFlags(model=model, **given))


@pytest.mark.slow
def test_killed_and_run_again_ends_with_the_same_bits(whole, tasks, model, tmp_path):
    out = tmp_path / "run"
    typed = {"lang": "python", "data": tasks, "model": model, "out": out, "epochs": 4}
    typed |= {"batch-size": 8, "query-length": 16, "learning-rate": 1e-3}
    words = [word for name, value in typed.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, str(ROOT / "experiments" / "train_simcse.py"), *words]
    process = subprocess.Popen(command, env=to_be_killed(), stderr=subprocess.DEVNULL)
    while process.poll() is None and not (out / "checkpoints" / "3").exists():
        time.sleep(0.002)
    assert process.poll() is None, "the run ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "results.json").exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "resuming after step" in done.stdout
    assert same_run(whole[0], out)
