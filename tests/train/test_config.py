"""What is left out is filled from the paper; what contradicts itself is an error first."""

from __future__ import annotations

import dataclasses

import pytest

from softnce_jax.errors import InputError
from softnce_jax.pretrained.presets import PRESETS
from softnce_jax.train.config import Config, differences, resolve


def settle(train_pairs=24927, on_sample=False, **given):
    return resolve(Config(**given), on_sample=on_sample, train_pairs=train_pairs)


def test_the_papers_values():
    config, notes = settle()
    assert (config.encoder, config.estimator, config.loss) == ("unixcoder", "bm25", "soft_infonce")
    assert (config.alpha, config.beta, config.temperature, config.floor) == (1.5, 0.5, 1.0, 0.1)
    assert (config.learning_rate, config.batch_size, config.epochs) == (2e-5, 64, 10)
    assert (config.query_length, config.code_length, config.warmup_epochs) == (128, 256, 0)
    assert notes == []
    config, _ = settle(encoder="codebert", loss="infonce", seed=7)
    assert (config.learning_rate, config.batch_size, config.warmup_epochs) == (1e-6, 32, 1)
    assert (config.query_length, config.code_length, config.estimator) == (200, 200, "none")
    assert config.out == "runs/ruby-codebert-infonce-none-7"


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ({"estimator": "sentence"}, (1.3, 0.7, 0.1)),
        ({"estimator": "teacher", "teacher": "x"}, (1.3, 0.7, 5.0)),
        ({"estimator": "0.5*bm25+sentence"}, (1.5, 0.5, 1.0)),
        ({"estimator": "sentence+bm25", "alpha": 1.2}, (1.2, 0.7, 0.1)),
        ({"estimator": "a.b:f", "temperature": 3.0}, (1.3, 0.7, 3.0)),
        ({"estimator": "a.b:f+bm25", "temperature": 3.0, "beta": 0.6}, (1.3, 0.6, 3.0)),
    ],
)
def test_each_estimator_has_its_weights_and_a_sum_those_of_its_first(given, weights):
    config, _ = settle(**given)
    assert (config.alpha, config.beta, config.temperature) == weights
    assert settle(**dataclasses.asdict(config))[0] == config, "settled once and for all"


def test_the_sentence_model_and_the_name_of_a_sum():
    config, _ = settle(estimator="0.5*bm25+2*sentence")
    assert config.sentence_model == "sentence-transformers/msmarco-distilbert-dot-v5"
    assert config.out == "runs/ruby-unixcoder-soft_infonce-0.5_bm25+2_sentence-1234"
    assert settle(estimator="sentence", sentence_model="mine")[0].sentence_model == "mine"
    assert settle()[0].sentence_model is settle()[0].teacher is None


def test_a_fold_is_another_run():
    assert settle(fold=2)[0].out == "runs/ruby-unixcoder-soft_infonce-bm25-1234-fold2"


def test_what_was_given_stays():
    config, _ = settle(alpha=1.2, epochs=3, batch_size=16, query_length=48, out="x")
    assert (config.alpha, config.epochs, config.batch_size) == (1.2, 3, 16)
    assert (config.query_length, config.out) == (48, "x")


def test_auto_encoder_follows_the_data():
    assert settle(on_sample=True)[0].encoder == "tiny"


def test_only_a_default_batch_size_shrinks():
    config, (note,) = settle(train_pairs=18)
    assert config.batch_size == 18 and "64 -> 18" in note
    with pytest.raises(InputError, match="--batch-size 64 but only 18"):
        settle(train_pairs=18, batch_size=64)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": "infonce", "estimator": "bm25"}, "uses no estimator"),
        ({"loss": "infonce", "alpha": 1.0}, "infonce has no --alpha"),
        ({"estimator": "none"}, "needs an estimator"),
        ({"loss": "bce", "estimator": "none"}, "--loss bce needs an estimator"),
        ({"loss": "bce", "alpha": 1.0}, "bce has no --alpha"),
        ({"loss": "kl_regularized", "floor": 0.2}, "kl_regularized has no --floor"),
        ({"loss": "cancel_top_k", "temperature": 1.0}, "cancel_top_k has no --temperature"),
        ({"cancel_k": 3}, "soft_infonce has no --cancel-k"),
        ({"loss": "cancel_top_k", "cancel_ratio": 0.5}, "cancel_top_k has no --cancel-ratio"),
        ({"loss": "cancel_top_k", "cancel_k": 63}, "--cancel-k 63 of 63 negatives: give 0 to 62"),
        ({"loss": "cancel_top_k", "cancel_k": -1}, "--cancel-k -1"),
        (
            {"loss": "cancel_threshold", "cancel_ratio": 0.0},
            "--cancel-ratio 0.0: expected",
        ),
        (
            {"loss": "bce", "symmetric": True},
            "--symmetric goes with --loss soft",
        ),
        ({"loss": "bce", "temperature": -1.0}, "--temperature -1.0: expected"),
        ({"floor": -0.1}, "--floor -0.1: expected float >= 0"),
        ({"estimator": "bm52"}, "'bm52' at character 1 is no estimator; known: bm25, sentence"),
        ({"estimator": "bm25+none"}, "'none' at character 6"),
        ({"estimator": "bm25+teacher"}, "needs a model: --teacher RUN"),
        ({"teacher": "x"}, "--teacher is not used by --estimator bm25"),
        (
            {"estimator": "teacher", "teacher": "x", "sentence_model": "y"},
            "--sentence-model is not",
        ),
        ({"estimator": "sentence", "bm25_statistics": "corpus"}, "--bm25-statistics is not used"),
        ({"estimator": "a:f"}, "no default temperature: give --temperature, in the unit of a:f"),
        (
            {"loss": "infonce", "duplicates": "weight"},
            "--duplicates weight gives .* --loss infonce has none: --duplicates exclude",
        ),
        ({"batch_size": 1}, "leaves no negatives"),
        ({"batch_size": 3}, r"--beta 0.5, --alpha 1.5, m = 2 negatives"),
        ({"epochs": 0}, "--epochs 0: expected int >= 1"),
        ({"scale": 0.0}, "--scale 0.0: expected"),
        ({"scale": "foo"}, "--scale foo: invalid enum value 'foo'"),
        ({"weight_decay": -0.1}, "--weight-decay -0.1: expected"),
        ({"learning_rate": float("nan")}, "--learning-rate nan: expected"),
        ({"temperature": 0.0}, "--temperature 0.0: expected"),
        ({"warmup_epochs": 10.0}, "--warmup-epochs 10.0"),
    ],
)
def test_contradictions(given, message):
    with pytest.raises(InputError, match=message):
        settle(**given)


def test_each_loss_has_its_values():
    """Its own, else the estimator's; KL's two are named the other way round."""
    config, _ = settle(loss="kl_regularized")
    assert (config.estimator, config.alpha, config.beta, config.temperature) == (
        *("bm25", 0.7, 1.3, 1.0),
    )
    assert settle(loss="kl_regularized", beta=1.0)[0].beta == 1.0
    assert settle(loss="cancel_top_k")[0].cancel_k == 1
    assert settle(loss="cancel_top_k", cancel_k=0)[0].cancel_k == 0
    config, _ = settle(loss="cancel_threshold")
    assert (config.cancel_ratio, config.alpha, config.temperature) == (0.5, None, None)


def test_data_flow_of_presets_and_flags():
    chosen = PRESETS["graphcodebert"]
    assert (chosen.code_length, chosen.flow_length, chosen.query_length) == (256, 64, 128)
    assert (chosen.learning_rate, chosen.batch_size, chosen.epochs) == (2e-5, 32, 30)
    assert (chosen.pooling, chosen.dataflow) == ("pooler", "published")
    config, _ = settle(encoder="graphcodebert")
    assert (config.dataflow, config.flow_length) == ("published", 64)
    config, _ = settle(encoder="graphcodebert", dataflow="none")
    assert (config.dataflow, config.flow_length) == ("none", 0)
    config, _ = settle(encoder="codebert")
    assert (config.dataflow, config.flow_length) == ("none", 0)
    for given in ({"flow_length": 3}, {"dataflow": "extended", "flow_length": 0}):
        with pytest.raises(InputError, match=r"--flow-length . with --dataflow"):
            settle(encoder="codebert", **given)


def test_a_learned_scale_is_a_setting_of_its_own():
    learned = dataclasses.asdict(settle(scale="learned")[0])
    fixed = dataclasses.asdict(settle()[0])
    assert (learned["scale"], fixed["scale"]) == ("learned", None)
    assert differences(fixed, learned) == ["scale: None -> 'learned'"]


def test_differences_name_the_fields():
    old = dataclasses.asdict(settle()[0])
    assert differences(old, old | {"out": "elsewhere", "keep": 9}) == []
    assert differences(old, old | {"seed": 1, "alpha": 1.0}) == [
        "alpha: 1.5 -> 1.0",
        "seed: 1234 -> 1",
    ]
