"""Figures of runs made by hand: what is drawn, and when nothing is; a run's view of a batch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from softnce_jax import registry
from softnce_jax.errors import InputError
from softnce_jax.sweep import figures
from softnce_jax.sweep.figures import (
    BatchView,
    _by_family,
    _curves,
    _weight_curve,
    batch_view,
    draw,
)
from softnce_jax.sweep.scores import Run, Scores, read_runs
from softnce_jax.sweep.tables import write_tables
from softnce_jax.train.config import Config
from softnce_jax.train.setup import read_data, settle
from tests import reference
from tests.small_model import write_model
from tests.sweep.folders import write_run
from tests.train.corpus import write_tasks

VALUE = np.linspace(0.2, 0.6, 24)


def steps(loss: float) -> list[dict]:
    return [{"step": 1, "loss": loss}, {"step": 2, "loss": loss / 2}, {"step": 2, "valid_mrr": 0.5}]


@pytest.fixture
def runs(tmp_path):
    """InfoNCE and two settings of Soft-InfoNCE, two seeds."""
    for seed in (1, 2):
        write_run(tmp_path / "runs", {"go": VALUE}, loss="infonce", seed=seed, steps=steps(4.0))
        for alpha in (1.3, 1.5):
            write_run(tmp_path / "runs", {"go": VALUE + alpha / 10}, loss="soft_infonce", seed=seed,
                      alpha=alpha, beta=2 - alpha, steps=steps(float(seed)))  # fmt: skip
    return tmp_path / "runs"


@pytest.fixture
def pyplot():
    """matplotlib, or a skip where the extra is not installed."""
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def drawn(runs, out, caplog) -> list[str]:
    caplog.clear()
    draw(runs, out)
    return caplog.messages


@pytest.mark.slow
@pytest.mark.usefixtures("pyplot")
def test_every_figure_as_png_and_svg_the_same_each_time(runs, tmp_path, monkeypatch, caplog):
    view = BatchView(["sort a list", "open a file"], np.eye(2), np.ones((2, 2)))
    monkeypatch.setattr(figures, "batch_view", lambda run: view)
    lines = drawn(runs, tmp_path / "out", caplog)
    names = {f"{n}.{e}" for n in ("training", "alpha_beta", "estimators") for e in ("png", "svg")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert lines == sorted(lines, key=lines.index) and len(lines) == 6
    drawn(runs, tmp_path / "again", caplog)
    for name in names:
        first, second = ((tmp_path / o / name).read_bytes() for o in ("out", "again"))
        assert first == second and len(first) > 5000


def test_labels_and_curves(runs, pyplot):
    scores = Scores(read_runs(runs), "mrr")
    figure = figures._training(pyplot, scores)
    assert [axis.get_ylabel() for axis in figure.axes] == [
        "training loss (nats)", "validation MRR",
    ]  # fmt: skip
    assert len(figure.legends[0].texts) == 3
    soft = next(system for system in scores.runs if system.loss == "soft_infonce")
    at, value_RS = _curves(scores, soft, "loss")
    assert at.tolist() == [1, 2] and value_RS.tolist() == [[1.0, 0.5], [2.0, 1.0]]
    left, right = figures._alpha_beta(pyplot, scores).axes
    (line, *_) = left.containers[0]
    drawn_at = np.asarray(line.get_ydata(), float)
    np.testing.assert_allclose(drawn_at, VALUE.mean() + np.array([0.13, 0.15]))
    assert "alpha" in left.get_xlabel() and len(right.lines) == 2


def test_steps_without_a_number_are_not_drawn(tmp_path):
    lines = [{"step": 1, "loss": None}, {"step": 2, "loss": 0.5}, {"step": 2, "valid_mrr": None}]
    write_run(tmp_path / "runs", {"go": VALUE}, loss="infonce", steps=lines)
    scores = Scores(read_runs(tmp_path / "runs"), "mrr")
    (system,) = scores.runs
    at, value_RS = _curves(scores, system, "loss")
    assert at.tolist() == [2] and value_RS.tolist() == [[0.5]]
    assert not len(_curves(scores, system, "valid_mrr")[0])


def test_the_weights_drawn_are_those_of_the_loss():
    similarity = np.log([[1.0, 3.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    w = reference.negative_weights(similarity, alpha=1.1, beta=0.9, temperature=1.0)
    p, curve = _weight_curve(1.1, 0.9, {"batch_size": 3, "floor": 0.1})
    assert np.interp(0.75, p, curve) == pytest.approx(w[0, 1])
    assert curve[-1] == 0.1


@pytest.mark.usefixtures("pyplot")
def test_no_runs_for_a_figure(tmp_path, caplog):
    write_run(tmp_path / "runs", {"go": VALUE}, loss="infonce", steps=steps(1.0))
    lines = drawn(tmp_path / "runs", tmp_path / "out", caplog)
    assert lines[-2:] == [
        "no figure alpha_beta: no runs for it", "no figure estimators: no runs for it",
    ]  # fmt: skip


LENGTHS = """
import numpy as np

def lengths(queries, codes):
    return np.array([[len(q), 1.0] for q in queries]), np.array([[len(c), 1.0] for c in codes])
"""


@pytest.fixture
def lengths_run(tmp_path, monkeypatch):
    """A run with an estimator of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("batch_lengths.py").write_text(LENGTHS)
    tasks = write_tasks(tmp_path / "tasks")
    given = Config(
        lang="python", data=str(tasks), encoder="tiny", batch_size=8, estimator="batch_lengths:"
        "lengths", temperature=500.0, alpha=1.5, beta=0.5, epochs=1, out=str(tmp_path / "run"),
    )  # fmt: skip
    config, _ = settle(given, read_data(given))
    write_model(tmp_path / "run" / "model", ["sort a list of numbers"])
    return Run(tmp_path / "run", dataclasses.asdict(config), {})


def training_pairs(run):
    return list(read_data(figures._settled_config(run)).train)


def test_similarity_and_weights_are_those_of_the_runs_estimator(lengths_run):
    run = lengths_run
    view, train = batch_view(run), training_pairs(run)
    shown = [text.removesuffix(" …") for text in view.queries]
    queries = [{p.query for p in train if p.query.startswith(text)} for text in shown]
    assert [len(texts) for texts in queries] == [1] * 8
    codes = {len(pair.code) for pair in train}
    # (s − 1) / the query's length is the code's length: the same for every query of a column.
    length_Q = np.array([len(text) for texts in queries for text in texts])
    found_QQ = (view.similarity - 1) / length_Q[:, None]
    np.testing.assert_allclose(found_QQ, np.broadcast_to(found_QQ[0], found_QQ.shape), rtol=1e-5)
    assert set(np.round(found_QQ[0]).astype(int)) <= codes
    settings = {name: run.config[name] for name in ("alpha", "beta", "temperature", "floor")}
    wanted = reference.negative_weights(view.similarity, **settings)
    np.testing.assert_allclose(view.weight, wanted, rtol=1e-4, atol=1e-5)
    assert len(np.unique(np.round(view.weight, 3))) > 5


def test_families_stand_together(lengths_run):
    pairs = training_pairs(lengths_run)[:9]
    chosen = [pairs[index].family for index in _by_family(pairs)]
    assert sorted(chosen, key=chosen.index) == chosen


CANARY = """
import pathlib
pathlib.Path("imported").touch()

def infonce(q, c, w, *, positive, where=None, scale=1.0):
    return 0.0
"""


@pytest.mark.usefixtures("pyplot")
def test_what_a_results_json_names_is_not_imported(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    Path("evil_names.py").write_text(CANARY)
    for loss in ("infonce", "soft_infonce"):
        path = write_run(tmp_path / "runs", {"go": VALUE}, loss=loss, steps=steps(1.0))
        text = (path / "results.json").read_text()
        text = text.replace('"bm25"', '"evil_names:infonce"').replace('"infonce"', '"evil_names:a"')
        (path / "results.json").write_text(text)
    write_run(tmp_path / "runs", {"go": VALUE}, loss="infonce", steps=steps(1.0))
    lines = drawn(tmp_path / "runs", tmp_path / "out", caplog)
    assert "evil_names:infonce is not imported: no picture of what it sees" in lines
    write_tables(tmp_path / "runs", tmp_path / "out")
    assert "evil_names:infonce" in (tmp_path / "out/tables.md").read_text()
    assert not Path("imported").exists()
    registry.loss("evil_names:infonce")  # negative control: what a flag names is
    assert Path("imported").exists()


@pytest.mark.usefixtures("pyplot")
def test_names_are_no_formulas(tmp_path, caplog):
    path = write_run(tmp_path / "runs", {"go": VALUE}, loss="infonce", steps=steps(1.0))
    text = (path / "results.json").read_text().replace('"tiny"', r'"$\\frac$ \u001b[1m"')
    (path / "results.json").write_text(text)
    drawn(tmp_path / "runs", tmp_path / "out", caplog)
    assert "\x1b" not in (tmp_path / "out/training.svg").read_text()


def test_a_run_of_other_data_is_one_line(lengths_run):
    run = lengths_run
    for given, message in (
        ({"batch_size": 10**8}, "config.batch_size is 100,000,000, but .* training pairs"),
        ({"alpha": 50.0}, "is not above alpha / m"),
    ):
        damaged = run._replace(config=run.config | given)
        with pytest.raises(InputError, match=f"{run.folder}: .*{message}"):
            batch_view(damaged)
