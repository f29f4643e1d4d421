"""Figures of runs made by hand: what is drawn, and when nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from softnce_jax.sweep import figures
from softnce_jax.sweep.config import FiguresConfig
from softnce_jax.sweep.figures import Glimpse, curves, draw, plotting, weight_curve
from softnce_jax.sweep.scores import Scores, read_runs
from tests import reference
from tests.sweep.folders import write_run

pytest.importorskip("matplotlib")
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


def drawn(runs, out) -> list[str]:
    lines: list[str] = []
    draw(FiguresConfig(str(runs), str(out)), lines.append)
    return lines


def test_every_figure_as_png_and_svg_the_same_each_time(runs, tmp_path, monkeypatch):
    view = Glimpse(["sort a list", "open a file"], np.eye(2), np.ones((2, 2)))
    monkeypatch.setattr(figures, "glimpse", lambda run: view)
    lines = drawn(runs, tmp_path / "out")
    names = {f"{n}.{e}" for n in ("training", "alpha_beta", "estimators") for e in ("png", "svg")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert lines == sorted(lines, key=lines.index) and len(lines) == 6
    drawn(runs, tmp_path / "again")
    for name in names:
        first, second = ((tmp_path / o / name).read_bytes() for o in ("out", "again"))
        assert first == second and len(first) > 5000


def test_labels_and_curves(runs):
    pyplot, scores = plotting(), Scores(read_runs(runs), "mrr")
    figure = figures.training(pyplot, scores)
    assert [axis.get_ylabel() for axis in figure.axes] == [
        "training loss (nats)", "validation MRR",
    ]  # fmt: skip
    assert len(figure.legends[0].texts) == 3
    soft = next(system for system in scores.runs if system.loss == "soft_infonce")
    at, value_RS = curves(scores, soft, "loss")
    assert at.tolist() == [1, 2] and value_RS.tolist() == [[1.0, 0.5], [2.0, 1.0]]
    left, right = figures.alpha_beta(pyplot, scores).axes
    (line, *_) = left.containers[0]
    drawn_at = np.asarray(line.get_ydata(), float)
    np.testing.assert_allclose(drawn_at, VALUE.mean() + np.array([0.13, 0.15]))
    assert "alpha" in left.get_xlabel() and len(right.lines) == 2
    pyplot.close("all")


def test_the_weights_drawn_are_those_of_the_loss():
    similarity = np.log([[1.0, 3.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    w = reference.negative_weights(similarity, alpha=1.1, beta=0.9, temperature=1.0)
    p, curve = weight_curve(1.1, 0.9, {"batch_size": 3, "floor": 0.1})
    assert np.interp(0.75, p, curve) == pytest.approx(w[0, 1])
    assert curve[-1] == 0.1


def test_no_runs_for_a_figure(tmp_path):
    write_run(tmp_path / "runs", {"go": VALUE}, loss="infonce", steps=steps(1.0))
    lines = drawn(tmp_path / "runs", tmp_path / "out")
    assert lines[-2:] == [
        "no figure alpha_beta: no runs for it", "no figure estimators: no runs for it",
    ]  # fmt: skip
