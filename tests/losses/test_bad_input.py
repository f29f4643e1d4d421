"""Bad input raises before any work, with both numbers."""

from __future__ import annotations

import inspect

import jax.numpy as jnp
import pytest

import softnce_jax
from tests.losses.table import LOSSES


def call(name, shapes, **options):
    """The unchecked loss of ones; a target that fits where it has one and the shapes name none."""
    if len(shapes) == 2 and LOSSES[name].target is not None:
        shapes = (*shapes, (shapes[0][0], shapes[1][0]))
    unchecked = inspect.unwrap(getattr(softnce_jax, LOSSES[name].function))
    return unchecked(*(jnp.ones(shape) for shape in shapes), **options)


BAD = {
    "dimensions": (((3, 4), (3, 5)), {}, ValueError, "4.*5"),
    "one candidate": (((1, 4), (1, 4)), {}, ValueError, "1 candidate"),
    "no candidates": (((0, 4), (0, 4)), {}, ValueError, "0 candidate"),
    "fewer candidates": (((3, 4), (2, 4)), {}, ValueError, "3 rows but 2"),
    "vector": (((4,), (3, 4)), {}, ValueError, r"\(4,\).*\(3, 4\)"),
    "target": (((3, 4), (5, 4), (3, 3)), {}, ValueError, r"has shape \(3, 3\).*\(3, 5\)"),
    "positive": (((3, 4), (5, 4)), {"positive": jnp.zeros(5, int)}, ValueError, r"\(5,\).*\(3,\)"),
    "positive type": (((3, 4), (5, 4)), {"positive": jnp.zeros(3)}, TypeError, "float32"),
    "where": (((3, 4), (5, 4)), {"where": jnp.ones((3, 3), bool)}, ValueError, r"3\).*\(3, 5\)"),
    "where type": (((3, 4), (5, 4)), {"where": jnp.ones(3)}, TypeError, "float32"),
}


# infonce is a call of soft_infonce, which the annotations that the tests enforce would answer.
CASES = [
    (case, name)
    for case in BAD
    for name, row in LOSSES.items()
    if row.function != "infonce" and (case != "target" or row.target is not None)
]


@pytest.mark.parametrize(("case", "name"), CASES)
def test_bad_input_raises(case, name):
    shapes, options, error, message = BAD[case]
    settings = LOSSES[name].settings | ({"k": 0} if name == "cancel_top_k" else {})
    with pytest.raises(error, match=message):
        call(name, shapes, **settings, **options)


SETTINGS = {
    "k too large": ("cancel_top_k", {"k": 2}, "k is 2, but a row has 2 negatives"),
    "k below 0": ("cancel_top_k", {"k": -1}, "k is -1"),
    "ratio 0": ("cancel_threshold", {"ratio": 0.0}, "ratio is 0.0"),
    "ratio NaN": ("cancel_threshold", {"ratio": float("nan")}, "ratio is nan"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_without_meaning_raise(case):
    name, options, message = SETTINGS[case]
    with pytest.raises(ValueError, match=message):
        call(name, ((3, 4), (3, 4)), **options)
