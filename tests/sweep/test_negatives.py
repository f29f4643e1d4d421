"""The table of the experiment on negatives, from runs made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from softnce_jax.errors import InputError
from softnce_jax.retrieval.per_query import QueryScores, read_queries, write_queries
from softnce_jax.sweep.negatives import negatives_table
from softnce_jax.sweep.scores import read_runs
from tests.sweep.folders import write_run

VALUE = np.linspace(0.2, 0.6, 24)


def add_ndcg(path):
    """Gives a run nDCG of the negatives, half its MRR."""
    values, names = read_queries(path)
    for systems in values.values():
        for metrics in systems.values():
            metrics["negative_ndcg@10"] = metrics["mrr"] / 2
    write_queries(path, QueryScores(values, names))


def write_experiment(folder, losses=("infonce", "soft_infonce")):
    for loss in losses:
        for seed in (1, 2):
            for fold in range(2):
                value = VALUE[12 * fold : 12 * fold + 12] + (0.1 if loss == "soft_infonce" else 0)
                value = value + 0.04 * (seed == 2)
                path = write_run(folder, {"go": value, "ruby": value}, loss=loss, seed=seed,
                                 fold=fold, first=12 * fold)  # fmt: skip
                add_ndcg(path)


def test_figures_and_differences_by_arithmetic(tmp_path):
    write_experiment(tmp_path)
    table = negatives_table(read_runs(tmp_path))
    found = {row[0]: row[1:] for row in table.rows}
    assert list(found) == ["BM25", "untrained", "InfoNCE, all languages",
                           "Soft-InfoNCE, BM25, all languages"]  # fmt: skip
    plain, soft = list(found.values())[2:]
    assert plain[0].startswith(f"{VALUE.mean() + 0.02:.3f}"[1:] + " [")
    assert plain[1].startswith(f"{(VALUE.mean() + 0.02) / 2:.3f}"[1:] + " [")
    assert plain[2:] == ["", "", ""]
    # Every query gains the same, so the paired interval has no width.
    assert soft[2:] == [
        "+.100 [+.100, +.100]".replace("+.", "+0."),
        *["+0.050 [+0.050, +0.050]"] * 2,
    ]
    assert found["untrained"][0].startswith(f"{(VALUE.mean() + 0.02) / 2:.3f}"[1:])
    assert "48 queries (24 texts in 2 languages, 8 families), 8 runs, 2 seeds" in table.notes[0]


def test_what_cannot_be_compared(tmp_path):
    write_experiment(tmp_path / "soft", losses=("soft_infonce",))
    with pytest.raises(InputError, match="no InfoNCE run"):
        negatives_table(read_runs(tmp_path / "soft"))
    write_run(tmp_path / "plain", {"go": VALUE}, loss="infonce")
    with pytest.raises(InputError, match="need families"):
        negatives_table(read_runs(tmp_path / "plain"))
