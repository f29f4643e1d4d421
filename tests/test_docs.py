"""The example of docs/estimators.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from softnce_jax.estimators.frozen import frozen_features
from softnce_jax.estimators.function import function
from tests.estimators.conftest import pairs

DOC = Path(__file__).resolve().parents[1] / "docs" / "estimators.md"


def test_the_users_function_of_the_docs(tmp_path, monkeypatch):
    (source,) = re.findall(r"```python\n(.*?)```", DOC.read_text("utf-8"), re.DOTALL)
    assert "my_estimator:first_words" in DOC.read_text("utf-8")
    (tmp_path / "my_estimator.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    estimator = function("my_estimator:first_words")
    queries = ["Sort a list", "read a file", "sort numbers", ""]
    a, b = frozen_features(estimator, pairs(queries, [""] * 4), folder=tmp_path / "f", say=print)
    expected = [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(a @ b.T, expected)
