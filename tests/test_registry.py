"""The registry: every row names what exists, and a user's loss is refused before any work."""

from __future__ import annotations

import dataclasses
import inspect
import sys

import pytest

import softnce_jax
from softnce_jax import registry
from softnce_jax.errors import InputError
from softnce_jax.registry import ESTIMATORS, LOSSES, TARGETS, WEIGHTS, find_function, source_of
from softnce_jax.train.config import Config
from tests.losses import table

FLAGS = {field.name for field in dataclasses.fields(Config)}


@pytest.mark.parametrize("name", LOSSES)
def test_rows_of_losses(name):
    row = registry.loss(name)
    function = registry.resolve(row.function)
    assert function is getattr(softnce_jax, name)
    parameters = inspect.signature(function).parameters
    assert {"positive", "where", "scale", *row.arguments} <= set(parameters)
    assert row.symmetric == ("symmetric" in parameters)
    assert list(parameters)[2] == row.target or row.target is None
    target = TARGETS[row.target].settings if row.target else ()
    assert set(row.settings) == {*target, *row.arguments.values()} <= FLAGS
    assert row.shown is None or row.shown in row.settings
    # A default that stands in the function, too, is the same one.
    for argument, flag in row.arguments.items():
        default = parameters[argument].default
        assert default in (inspect.Parameter.empty, row.settings[flag])


def test_the_losses_are_those_of_the_tests():
    """`tests/losses/table.py` is written by hand, so that a row cannot go unseen."""
    rows = {row.function: row.target for row in table.LOSSES.values()}
    assert {name: row.target for name, row in LOSSES.items()} == rows
    public = {f for f in softnce_jax.__all__ if f in LOSSES}
    assert public == set(LOSSES)


@pytest.mark.parametrize("name", TARGETS)
def test_rows_of_targets(name):
    row = TARGETS[name]
    assert set(row.settings) <= FLAGS
    if row.function is not None:
        parameters = inspect.signature(registry.resolve(row.function)).parameters
        assert set(row.settings) <= set(parameters)
    assert set(TARGETS["w"].settings) == set(WEIGHTS)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_rows_of_estimators(name):
    row = registry.estimator(name)
    assert row is ESTIMATORS[name]
    if row.function is not None:
        assert callable(registry.resolve(row.function))
    assert row.model is None or (row.function is not None and row.model in FLAGS)


def test_titles_are_unique():
    for rows in (LOSSES, ESTIMATORS):
        assert len({row.title for row in rows.values()}) == len(rows)


def test_a_users_estimator_has_no_temperature():
    row = registry.estimator("mine:similar")
    assert row.temperature is None and row.title == "mine:similar"


GOOD = {
    "(q, c, *, positive, where, scale)": None,
    "(q, c, positive=None, where=None, scale=1.0)": None,
    "(q, c, **options)": None,
    "(q, c, w, *, positive, where, scale)": "w",
    "(q, c, p, /, **options)": "p",
    "(q, c, similarity, margin=0.1, *, positive=None, where=None, scale=1.0)": "similarity",
}
BAD = {
    "(q, c, weights, **options)": "third argument is 'weights', which is none of w, p, similarity",
    "(q, **options)": "cannot be called as (q, c, positive=, where=, scale=)",
    "(q, c, w, *, scale)": "unexpected keyword argument 'positive'",
    "(q, c, w, *, margin, **options)": ": missing a required ",  # keyword-only, says Python 3.12
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of one name into the current folder; forgotten after the test."""
    monkeypatch.chdir(tmp_path)

    def write(source: str) -> str:
        sys.modules.pop("mine", None)
        (tmp_path / "mine.py").write_text(source)
        return "mine"

    yield write
    sys.modules.pop("mine", None)


@pytest.mark.parametrize("signature", GOOD)
def test_the_third_argument_says_what_a_users_loss_reads(signature, module):
    module(f"def loss{signature}: return 0.0")
    row = registry.loss("mine:loss")
    assert row.target == GOOD[signature]
    assert tuple(row.settings) == (TARGETS[row.target].settings if row.target else ())
    assert not (row.symmetric or row.blockwise or row.bounds_information)
    assert registry.resolve(row.function)(0, 0, *[0] * bool(row.target), positive=0, where=0,
                                          scale=0) == 0.0  # fmt: skip


@pytest.mark.parametrize("signature", BAD)
def test_losses_that_cannot_be_called_are_refused(signature, module):
    module(f"def loss{signature}: return 0.0")
    with pytest.raises(InputError, match=r"--loss mine:loss: ") as caught:
        registry.loss("mine:loss")
    assert BAD[signature] in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hinge", "no such loss; give soft_infonce, infonce"),
        ("my.hinge", "no such loss"),
        ("a b:c", "no such loss"),
        ("nowhere_at_all:loss", "nowhere_at_all cannot be imported (ModuleNotFoundError"),
        ("mine:missing", "mine has no function missing"),
        ("mine:number", "mine has no function number"),
        ("builtins:dict", "arguments cannot be read"),
        ("broken:loss", "broken cannot be imported (ZeroDivisionError: division by zero)"),
    ],
)
def test_losses_that_are_not_there(name, message, module, tmp_path):
    module("number = 1")
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(InputError) as caught:
        registry.loss(name)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert "" not in sys.path


def test_the_source_of_a_function_is_of_its_module_and_of_where_it_is_from(module, tmp_path):
    (tmp_path / "elsewhere.py").write_text("def loss(q, c, **options): return 1.0")
    try:
        module("from elsewhere import loss")
        first = source_of("mine:loss", "--loss")
        assert "return 1.0" in first and "from elsewhere" in first
        module("from elsewhere import loss  # another source")
        assert source_of("mine:loss", "--loss") != first
        assert find_function("mine:loss", "--loss") is sys.modules["elsewhere"].loss
    finally:
        sys.modules.pop("elsewhere", None)
    with pytest.raises(InputError, match="its source cannot be read"):
        source_of("math:log", "--loss")
