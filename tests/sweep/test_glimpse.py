"""A look at a batch: the similarity is that of the run's own estimator, not of another."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from softnce_jax.sweep.figures import data_of, glimpse, together
from softnce_jax.sweep.scores import Run
from softnce_jax.train.config import Config
from softnce_jax.train.setup import prepare_data
from tests import reference
from tests.small_model import write_model
from tests.train.corpus import write_tasks

LENGTHS = """
import numpy as np

def lengths(queries, codes):
    return np.array([[len(q), 1.0] for q in queries]), np.array([[len(c), 1.0] for c in codes])
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with an estimator of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("glimpse_lengths.py").write_text(LENGTHS)
    tasks = write_tasks(tmp_path / "tasks")
    given = Config(
        lang="python", data=str(tasks), encoder="tiny", batch_size=8, estimator="glimpse_lengths:"
        "lengths", temperature=500.0, alpha=1.5, beta=0.5, epochs=1, out=str(tmp_path / "run"),
    )  # fmt: skip
    config = prepare_data(given).config
    write_model(tmp_path / "run" / "model", ["sort a list of numbers"])
    return Run(tmp_path / "run", dataclasses.asdict(config), {})


def test_similarity_and_weights_are_those_of_the_runs_estimator(run):
    view = glimpse(run)
    data = data_of(run)
    assert list(data.frozen) == ["glimpse_lengths:lengths"] and data.negatives is None
    shown = [text.removesuffix(" …") for text in view.queries]
    queries = [{p.query for p in data.train if p.query.startswith(text)} for text in shown]
    assert [len(texts) for texts in queries] == [1] * 8
    codes = {len(pair.code) for pair in data.train}
    # (s − 1) / the query's length is the code's length: the same for every query of a column.
    length_Q = np.array([len(text) for texts in queries for text in texts])
    found_QQ = (view.similarity - 1) / length_Q[:, None]
    np.testing.assert_allclose(found_QQ, np.broadcast_to(found_QQ[0], found_QQ.shape), rtol=1e-5)
    assert set(np.round(found_QQ[0]).astype(int)) <= codes
    settings = {name: run.config[name] for name in ("alpha", "beta", "temperature", "floor")}
    wanted = reference.negative_weights(view.similarity, **settings)
    np.testing.assert_allclose(view.weight, wanted, rtol=1e-4, atol=1e-5)
    assert len(np.unique(np.round(view.weight, 3))) > 5


def test_families_stand_together(run):
    pairs = list(data_of(run).train)[:9]
    chosen = [pairs[place].family for place in together(pairs)]
    assert sorted(chosen, key=chosen.index) == chosen
