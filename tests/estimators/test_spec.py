"""Sums of estimators: what is parsed, what is refused and where, what the features multiply to."""

from __future__ import annotations

import numpy as np
import pytest

from softnce_jax.errors import InputError
from softnce_jax.estimators.spec import Term, parse, weighted_sum
from softnce_jax.registry import ESTIMATORS


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("bm25", [(1.0, "bm25")]),
        ("bm25+sentence", [(1.0, "bm25"), (1.0, "sentence")]),
        ("0.5*bm25+2*sentence", [(0.5, "bm25"), (2.0, "sentence")]),
        (" .5 * bm25 + 2. * teacher ", [(0.5, "bm25"), (2.0, "teacher")]),
        ("1e-3*bm25+1e+2*a.b:f", [(1e-3, "bm25"), (100.0, "a.b:f")]),
        ("mine:similar_2", [(1.0, "mine:similar_2")]),
    ],
)
def test_what_is_understood(text, terms):
    assert parse(text) == [Term(*term) for term in terms]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' at character 1 is no estimator"),
        ("bm52", "'bm52' at character 1 is no estimator"),
        ("bm25+", "'' at character 6 is no estimator"),
        ("bm25++sentence", "'' at character 6 is no estimator"),
        ("bm25 + 2*", "'' at character 10 is no estimator"),
        ("bm25 sentence", r"'sentence' at character 6 stands where \+ is expected"),
        ("bm25*2", r"'\*2' at character 5 stands where \+ is expected"),
        ("2*-1*bm25", "'-1' at character 3 is no estimator"),
        ("bm25+0*sentence", "'0' at character 6 is no weight above 0"),
        ("1e999*bm25", "'1e999' at character 1 is no weight above 0"),
        ("bm25+none", "'none' at character 6"),
        ("package.module", "'package.module' at character 1"),
        ("a:b:c", "'a:b:c' at character 1"),
        ("9a:b", "'9a:b' at character 1"),
    ],
)
def test_what_is_refused_names_the_character_and_what_is_known(text, message):
    with pytest.raises(InputError, match=message) as error:
        parse(text)
    assert f"known: {', '.join(ESTIMATORS)}, package.module:function" in str(error.value)
    assert "\n" not in str(error.value)


def test_product_is_the_weighted_sum_of_the_products():
    random = np.random.default_rng(0)
    features = [
        (random.normal(size=(3, f)).astype("f4"), random.normal(size=(5, f)).astype("f4"))
        for f in (4, 1, 7)
    ]
    a, b = weighted_sum(parse("2*bm25+sentence+0.25*teacher"), features)
    assert a.shape == (3, 12) and b.shape == (5, 12) and a.dtype == b.dtype == np.float32
    products = [x.astype(float) @ y.T for x, y in features]
    expected = 2 * products[0] + products[1] + 0.25 * products[2]
    np.testing.assert_allclose(a @ b.T, expected, atol=1e-5)
    assert np.abs(sum(products) - expected).max() > 0.1
