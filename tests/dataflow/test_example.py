"""From tokens and edges to the row of a function: the goldens' 21 conversions."""

from __future__ import annotations

import numpy as np
import pytest

from softnce_jax.dataflow.example import Example, edge_capacity
from softnce_jax.dataflow.extract import Extractor
from tests.dataflow.test_extract import DEPARTING
from tests.dataflow.toy import convert, example_of, golden_cases
from tests.rows import padded_rows


def same(example, golden) -> bool:
    """Whether ids, spans and edges are a golden's."""
    length = len(golden["code_ids"])
    ids = np.pad(example.ids, (0, length - len(example)), constant_values=1)
    tokens = len(example) - len(example.spans)
    spans = golden["dfg_to_code"].reshape(-1, 2)
    whole = (spans < tokens).all(axis=1)  # a span that was cut links to nothing
    edges = sorted((example.edges - tokens).tolist())
    return (
        np.array_equal(ids, golden["code_ids"])
        and np.array_equal(example.spans, spans * whole[:, None])
        and edges == sorted(golden["dfg_to_dfg_pairs"].reshape(-1, 2).tolist())
    )


def test_conversions_are_the_published_ones():
    cases = list(golden_cases())
    assert len(cases) == 21 and any(case["nodes_without_token"] for case, _ in cases)
    for case, golden in cases:
        assert same(example_of(case), golden), case["key"]


def test_from_code_where_the_published_extractor_works():
    departing = 0
    for case, golden in golden_cases():
        found = same(convert(case, *Extractor(case["lang"])(case["code"])[:2]), golden)
        departs = (case["lang"], case["snippet"]) in DEPARTING
        assert found != departs, case["key"]
        departing += departs
    assert departing == 3


def test_an_example_is_a_few_kilobytes():
    for case, _ in golden_cases():
        example = example_of(case)
        size = sum(array.nbytes for array in (example.ids, example.spans, example.edges))
        assert size < 3_000


def test_rows_are_padded():
    short = Example(np.array([0, 5, 2, 3]), np.array([[1, 2]]), np.array([[3, 3]]))
    rows = padded_rows([short], 6, edges=2)
    assert rows.ids.tolist() == [[[0, 5, 2, 3, 1, 1]]]
    assert rows.spans[0, 0, 2:5].tolist() == [[-1, -1], [1, 2], [-1, -1]]
    assert rows.edges.tolist() == [[[[3, 3], [6, 6]]]]
    for length, edges in ((3, 2), (6, 0)):
        message = f"text 0 has 4 tokens and 1 edges, more than the {length} positions and {edges}"
        with pytest.raises(ValueError, match=message):
            padded_rows([short], length, edges=edges)


def test_the_capacity_for_edges_is_a_power_of_two():
    assert [edge_capacity(most) for most in (0, 1, 64, 65, 128, 200)] == [64, 64, 64, 128, 128, 256]
