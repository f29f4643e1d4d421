"""What is left out is filled from the paper; what contradicts itself is an error first."""

from __future__ import annotations

import dataclasses

import pytest

from softnce_jax.errors import InputError
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
        ({"batch_size": 1}, "leaves no negatives"),
        ({"batch_size": 3}, r"--beta 0.5, --alpha 1.5, m = 2 negatives"),
        ({"epochs": 0}, "--epochs 0 is not positive"),
        ({"learning_rate": float("nan")}, "--learning-rate nan is not positive"),
        ({"temperature": 0.0}, "--temperature 0.0 is not positive"),
        ({"warmup_epochs": 10.0}, "--warmup-epochs 10.0"),
    ],
)
def test_contradictions(given, message):
    with pytest.raises(InputError, match=message):
        settle(**given)


def test_differences_name_the_fields():
    old = dataclasses.asdict(settle()[0])
    assert differences(old, old | {"out": "elsewhere", "keep": 9}) == []
    assert differences(old, old | {"seed": 1, "alpha": 1.0}) == [
        "alpha: 1.5 -> 1.0",
        "seed: 1234 -> 1",
    ]
