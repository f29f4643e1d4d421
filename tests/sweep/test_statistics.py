"""The paired test and the intervals against enumeration, arithmetic and scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from softnce_jax.sweep import statistics
from softnce_jax.sweep.statistics import bootstrap, holm, paired_permutation


def test_the_paired_test_equals_the_enumeration_of_all_signs():
    difference = np.array([0.5, -0.1, 0.3, 0.2, 0.0, 0.4, -0.2, 0.6])
    sums = [np.dot(signs, difference) for signs in itertools.product((-1, 1), repeat=8)]
    exact = np.mean(np.abs(sums) >= abs(difference.sum()) - 1e-12)
    found = paired_permutation(difference, np.arange(8), samples=40_000)
    assert found == pytest.approx(exact, abs=0.006)
    against = stats.permutation_test(
        (difference,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert found == pytest.approx(against.pvalue, abs=0.006)


def test_no_difference_is_no_finding_and_a_plain_one_is():
    units = np.arange(200)
    assert paired_permutation(np.zeros(200), units) == 1.0
    random = np.random.default_rng(0)
    assert paired_permutation(random.normal(size=200), units) > 0.01
    assert paired_permutation(random.normal(0.5, 1, 200), units) == pytest.approx(1 / 10_001)


def test_queries_of_one_unit_get_one_sign():
    difference = np.full(12, 0.1)
    together = paired_permutation(difference, np.zeros(12))
    apart = paired_permutation(difference, np.arange(12))
    assert together == 1.0 and apart < 0.01


def test_blocks_do_not_change_the_draws(monkeypatch):
    difference, units = np.random.default_rng(1).normal(0.1, 1, 50), np.arange(50)
    before = paired_permutation(difference, units, samples=500)
    interval = bootstrap(difference, units, samples=500)
    monkeypatch.setattr(statistics, "MAX_NUMBERS", 50 * 100)
    assert paired_permutation(difference, units, samples=500) == pytest.approx(before, abs=0.05)
    assert bootstrap(difference, units, samples=500) == pytest.approx(interval, abs=0.05)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_of_a_mean_is_the_normal_one():
    value = np.random.default_rng(2).normal(0.3, 1, 400)
    low, high = bootstrap(value, np.arange(400))
    half = 1.96 * value.std() / 20
    assert (low, high) == pytest.approx((value.mean() - half, value.mean() + half), abs=0.01)
    # The control: four alike in every unit carry a quarter of the information.
    wide = bootstrap(np.repeat(value[:100], 4), np.repeat(np.arange(100), 4))
    assert wide[1] - wide[0] > 1.5 * (high - low)


def test_units_of_different_sizes():
    low, high = bootstrap(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 0, 1]))
    assert (low, high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="2 values and 1 units"):
        bootstrap(np.ones(2), np.ones(1))
