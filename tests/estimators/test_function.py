"""A user's function: called with texts, checked, cached under its source."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

from softnce_jax.errors import InputError
from softnce_jax.estimators.function import function
from softnce_jax.estimators.precomputed import precomputed_features
from tests.estimators.conftest import pairs

QUERIES, CODES = ["a", "bb", "ccc"], ["x y", "z", ""]
GOOD = """
import numpy as np

def lengths(queries, codes):
    assert isinstance(queries, list) and isinstance(codes, list)
    a, b = ([[len(text), 1.0] for text in texts] for texts in (queries, codes))
    return np.array(a), np.array(b)
"""


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Writes module `mine` into the current folder and opens its function."""
    monkeypatch.chdir(tmp_path)

    def write(source: str, name: str = "mine:lengths"):
        sys.modules.pop("mine", None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        (tmp_path / "mine.py").write_text(source)
        try:
            return function(name)
        finally:
            sys.dont_write_bytecode = before

    yield write
    sys.modules.pop("mine", None)


def features(estimator, tmp_path):
    return precomputed_features(estimator, pairs(QUERIES, CODES), folder=tmp_path / "features")


def test_texts_in_two_matrices_out(user, tmp_path):
    path = list(sys.path)
    a, b = features(user(GOOD), tmp_path)
    np.testing.assert_array_equal(a @ b.T, np.outer([1, 2, 3], [3, 1, 0]) + 1)
    assert a.dtype == np.float32 and sys.path == path


def test_a_changed_source_misses(user, tmp_path):
    one, same, other = user(GOOD), user(GOOD), user(GOOD.replace("1.0", "2.0"))
    assert one.hash == same.hash != other.hash
    assert features(one, tmp_path)[0][0, 1] == 1 and features(other, tmp_path)[0][0, 1] == 2
    assert len(list((tmp_path / "features").iterdir())) == 2


def test_two_functions_of_a_module_differ(user):
    both = GOOD + "\nother = lengths\n"
    assert user(both).hash != user(both, "mine:other").hash


@pytest.mark.parametrize("dtype", ["float16", "float64", "float32"])
def test_any_float_becomes_float32(dtype, user, tmp_path):
    a, _ = features(user(GOOD.replace("np.array(a)", f"np.array(a, np.{dtype})")), tmp_path)
    assert a.dtype == np.float32 and a[2].tolist() == [3, 1]


BAD = {
    "rows": ("np.array(a)[:2], np.array(b)", r"first matrix has shape \(2, 2\); it must be \(3, F"),
    "a vector": ("np.array(a), np.array(b)[:, 0]", r"second matrix has shape \(3,\)"),
    "no columns": ("np.array(a)[:, :0], np.array(b)[:, :0]", r"shape \(3, 0\)"),
    "widths": ("np.array(a)[:, :1], np.array(b)", "widths 1 and 2 differ"),
    "integers": ("np.array(a, int), np.array(b)", "first matrix holds int64, not floats"),
    "objects": ("np.array(a), np.array(b, object)", "second matrix holds object, not floats"),
    "one": ("np.array(a)", "no two matrices but ndarray"),
    "nothing": ("None", "no two matrices but NoneType"),
    "nan": ("np.array(a), np.array(b) / [1, 0]", "second matrix is not finite in row 0"),
    "overflow": ("np.array(a) * [[1], [1], [1e300]], np.array(b)", "first .* row 2 .as float32"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_cannot_be_features_says_why(case, user, tmp_path):
    result, message = BAD[case]
    with pytest.raises(InputError, match=message) as error:
        features(user(GOOD.replace("np.array(a), np.array(b)", result)), tmp_path)
    assert "mine:lengths" in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.glob("features/*"))


def test_what_cannot_be_imported_says_why(user):
    with pytest.raises(InputError, match="mine has no function missing"):
        user(GOOD, "mine:missing")
    with pytest.raises(InputError, match=r"cannot be imported \(ZeroDivisionError: division"):
        user("1 / 0\n")
    with pytest.raises(InputError, match="ModuleNotFoundError: No module named 'nowhere'"):
        function("nowhere.at_all:f")
    with pytest.raises(InputError, match="source cannot be read"):
        function("time:sleep")


def test_what_the_function_raises_is_its_own(user, tmp_path):
    with pytest.raises(FileNotFoundError, match="words"):
        features(user(GOOD.replace("return", "open('words.txt')\n    return")), tmp_path)


def test_a_function_of_other_arguments_is_told_before_any_work():
    with pytest.raises(InputError, match=r"json:dumps: cannot be called as \(queries, codes\): "):
        function("json:dumps")
