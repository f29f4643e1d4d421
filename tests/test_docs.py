"""The examples of README and docs run as they stand there, and the tables of defaults are true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from softnce_jax.estimators.function import function
from softnce_jax.estimators.precomputed import precomputed_features
from softnce_jax.pretrained.presets import PRESETS, Preset
from tests.estimators.conftest import pairs

ROOT = Path(__file__).resolve().parents[1]
DOC = ROOT / "docs" / "estimators.md"


def test_the_users_function_of_the_docs(tmp_path, monkeypatch):
    (source,) = re.findall(r"```python\n(.*?)```", DOC.read_text("utf-8"), re.DOTALL)
    assert "my_estimator:first_words" in DOC.read_text("utf-8")
    (tmp_path / "my_estimator.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    estimator = function("my_estimator:first_words")
    queries = ["Sort a list", "read a file", "sort numbers", ""]
    a, b = precomputed_features(
        estimator, pairs(queries, [""] * 4), folder=tmp_path / "f", say=print
    )
    expected = [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(a @ b.T, expected)


def test_the_losses_in_your_own_code():
    """README's first two blocks, one after the other, as one program; the loss falls."""
    readme = (ROOT / "README.md").read_text()
    first, second, *_ = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names: dict = {}
    exec(first + second, names)
    assert names["loss"] > 0
    given = names["q"], names["c"], names["similarity"]
    later = names["step"](names["params"], names["opt_state"], *given)[2]
    assert later < names["loss"]


def test_the_table_of_defaults():
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in (ROOT / "docs" / "defaults.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    names, *rows = rows
    assert names[1:] == ["codebert", "graphcodebert", "unixcoder", "others", "tiny"]
    for column, name in enumerate(names[1:], 1):
        preset = Preset(None) if name == "others" else PRESETS[name]
        for row in rows[:6]:
            field = row[0].strip("`-").replace("-", "_")
            assert float(row[column]) == getattr(preset, field), (name, field)
        flow = preset.dataflow if preset.dataflow == "none" else f"published, {preset.flow_length}"
        assert rows[6][column] == flow
        assert name == "others" or rows[7][column] == preset.pooling
