"""The warning about weights that change nothing: when, once, and which flag it names."""

from __future__ import annotations

import pytest

from softnce_jax.train.diagnose import FIRST_STEPS, WeightWatch

FINE = {"loss": 1.0, "p_mean": 0.1, "p_max": 0.5, "weight_spread": 0.6}
FLAT = FINE | {"p_max": 0.101, "weight_spread": 0.01}
ONE_HOT = FINE | {"p_max": 0.995, "weight_spread": 0.9}


def warnings(steps: list[dict], *, left: int = 100) -> list[tuple[int, str]]:
    """The steps at which something was said, and what."""
    watch = WeightWatch(left)
    said = [(n, watch(values)) for n, values in enumerate(steps, start=1)]
    return [(n, line) for n, line in said if line is not None]


@pytest.mark.parametrize(
    ("values", "cure"),
    [
        (FLAT, "lower --temperature or raise --alpha"),
        (ONE_HOT, "raise --temperature"),
        (FLAT | {"p_mean": 1.0, "p_max": 1.0}, "larger --batch-size"),
    ],
)
def test_told_once_after_the_first_steps(values, cure):
    ((step, line),) = warnings([values] * 30)
    assert step == FIRST_STEPS and line.endswith(cure) and "\n" not in line
    ((step, _),) = warnings([values] * 30, left=4)
    assert step == 4


@pytest.mark.parametrize("values", [FLAT, ONE_HOT])
def test_one_step_that_differs_is_enough_to_stay_silent(values):
    assert warnings([values] * 3 + [FINE] + [values] * 30) == []
    assert warnings([FINE] * 30) == []


def test_losses_without_weights_have_no_warning():
    assert warnings([{"loss": 1.0}] * 30) == []
