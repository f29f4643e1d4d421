"""Duplicates of a batch against a loop over the texts, and what they do to the losses."""

from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softnce_jax import without_duplicates
from tests import reference
from tests.losses.table import arrays, batch, every_loss, loop, ours, ours_rows

QUERIES = [7, 8, 7, 9, 5]
CODES = [1, 2, 3, 2, 4, 3, 6]
POSITIVES = {"by default": None, "given": np.array([6, 0, 0, 4, 1])}


compiled = jax.jit(without_duplicates)


def mask(positive=None, queries=QUERIES, codes=CODES, function=compiled):
    return function(*map(jnp.asarray, (queries, codes)), positive=positive)


@pytest.mark.parametrize("positive", POSITIVES.values(), ids=POSITIVES)
def test_the_mask_is_that_of_the_loop(positive):
    expected = reference.without_duplicates(QUERIES, CODES, positive)
    np.testing.assert_array_equal(mask(positive), expected)
    assert 0 < (~expected).sum() < 15
    given = None if positive is None else jnp.asarray(positive)
    np.testing.assert_array_equal(mask(given, function=without_duplicates), expected)


ANSWERS = [[7, 7], [8, 8], [7, 7], [9, 9], [5, 8], [1, 1], [9, 2]]


@pytest.mark.parametrize("positive", POSITIVES.values(), ids=POSITIVES)
def test_hard_negatives_that_answer_the_query(positive):
    """Column 6 is no row's positive and answers row 3's query, column 4 row 1's, too."""
    expected = reference.without_duplicates(QUERIES, CODES, positive, ANSWERS)
    given = None if positive is None else jnp.asarray(positive)
    keys = jnp.asarray(QUERIES), jnp.asarray(CODES)
    where = compiled(*keys, answers=jnp.asarray(ANSWERS), positive=given)
    np.testing.assert_array_equal(where, expected)
    without = reference.without_duplicates(QUERIES, CODES, positive)
    assert not expected[3, 6] and without[3, 6] and (expected <= without).all()


def test_texts_that_differ_leave_nothing_out():
    assert mask(queries=range(5), codes=range(7)).all()


def test_all_the_same_leaves_the_positives():
    np.testing.assert_array_equal(mask(queries=[1] * 5, codes=[2] * 5), np.eye(5, dtype=bool))


@every_loss
def test_a_duplicate_is_dropped(name):
    """Rows 0 and 2 have the same query, columns 1 and 3 the same code, 2 and 5 too."""
    parts = arrays(name, *batch())
    where = mask()
    rows = ours_rows(name, *parts, where=where)
    left = np.delete(np.arange(7), 2)  # from row 0 candidate 2 alone is left out
    assert np.flatnonzero(~np.asarray(where[0])).tolist() == [2]
    alone = loop(name, parts[0][:1], parts[1][left], *(x[:1, left] for x in parts[2:]))
    if "symmetric" not in name:  # there the other queries matter, too
        np.testing.assert_allclose(rows[0], alone, rtol=2e-6)
    assert abs(rows.mean() - ours(name, *parts)) > 1e-4


BAD = {
    "matrix": (jnp.zeros((2, 2), int), jnp.zeros(2, int), ValueError, r"query_keys .*\(2, 2\)"),
    "floats": (jnp.zeros(2, int), jnp.zeros(2), TypeError, "code_keys holds float32"),
    "fewer codes": (jnp.zeros(3, int), jnp.zeros(2, int), ValueError, "3 rows but 2"),
    "answers": (jnp.zeros(2, int), jnp.zeros(2, int), ValueError, r"answers .*\(3, 1\); .*\(2, P"),
    "one": (jnp.zeros(1, int), jnp.zeros(1, int), ValueError, "1 candidate"),
}


@pytest.mark.parametrize(("queries", "codes", "error", "message"), BAD.values(), ids=BAD)
def test_bad_keys_raise(queries, codes, error, message):
    with pytest.raises(error, match=message):
        answers = jnp.zeros((3, 1), int) if "answers" in message else None
        inspect.unwrap(without_duplicates)(queries, codes, answers=answers)
