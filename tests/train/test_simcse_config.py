"""The published values, and the fine-tuning that SimCSE is."""

from __future__ import annotations

import pytest
from softnce_jax.train.simcse_config import SimcseConfig, settle

from softnce_jax.errors import InputError


def test_the_papers_values():
    config, finetuning, notes = settle(SimcseConfig(), queries=900_000)
    assert (config.batch_size, config.epochs, config.learning_rate) == (256, 10, 5e-4)
    assert (config.query_length, config.temperature, config.lang) == (128, 0.07, "all")
    assert config.model == "sentence-transformers/msmarco-distilbert-dot-v5"
    assert config.out == "runs/simcse-all-msmarco-distilbert-dot-v5-1234" and notes == []
    assert (finetuning.loss, finetuning.estimator) == ("infonce", "none")
    assert finetuning.scale == pytest.approx(1 / 0.07)
    assert (finetuning.query_length, finetuning.code_length) == (128, 128)
    for name in ("batch_size", "epochs", "learning_rate", "seed", "keep", "clip_norm", "out"):
        assert getattr(finetuning, name) == getattr(config, name)
    assert finetuning.encoder == config.model


def test_only_a_default_batch_size_shrinks():
    config, finetuning, (note,) = settle(SimcseConfig(), queries=128)
    assert config.batch_size == finetuning.batch_size == 128 and "256 -> 128" in note
    with pytest.raises(InputError, match="--batch-size 256 but only 128"):
        settle(SimcseConfig(batch_size=256), queries=128)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": 0.0}, "--temperature 0.0 is not positive"),
        ({"temperature": float("nan")}, "--temperature nan is not positive"),
        ({"epochs": 0}, "--epochs 0 is not positive"),
        ({"batch_size": 1}, "leaves no negatives"),
        ({"query_length": 0}, "--query-length 0 is not positive"),
    ],
)
def test_contradictions(given, message):
    with pytest.raises(InputError, match=message):
        settle(SimcseConfig(**given), queries=500)
