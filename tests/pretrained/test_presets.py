"""Presets: the paper's settings for its encoders, a default one for others."""

from __future__ import annotations

from softnce_jax.pretrained.presets import PRESETS, preset


def test_presets_are_those_of_the_paper():
    assert preset("unixcoder").batch_size == 64
    assert preset("microsoft/codebert-base") == PRESETS["codebert"]
    other = preset("runs/one/model")
    assert (other.checkpoint, other.query_length, other.code_length) == ("runs/one/model", 128, 256)
    assert (other.learning_rate, other.batch_size, other.epochs) == (2e-5, 32, 10)
