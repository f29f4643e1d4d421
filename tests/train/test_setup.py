"""What a run stands on: the encoder compares vectors as --similarity says, exported too."""

from __future__ import annotations

import pytest

from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import load
from softnce_jax.train.config import Config
from softnce_jax.train.setup import build_encoder
from tests.train.corpus import write_tasks
from tests.train.prepare import prepare

CASES = [("auto", True), ("dot", False), ("cosine", True)]  # `tiny` has unit vectors


@pytest.mark.parametrize(("similarity", "unit"), CASES)
def test_similarity_is_the_encoders_and_the_exports(similarity, unit, tmp_path):
    tasks = str(write_tasks(tmp_path / "tasks"))
    config = Config(lang="python", data=tasks, encoder="tiny", batch_size=8, similarity=similarity)
    settled, data = prepare(config)
    encoder, params = build_encoder(settled, data.train)
    assert encoder.normalize is unit
    export_model(tmp_path / "model", encoder, params)
    assert load(tmp_path / "model")[0].normalize is unit
