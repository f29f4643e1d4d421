"""Texts and functions as ragged token ids: lengths, the cache of tokens, data flow."""

from __future__ import annotations

import pytest

from softnce_jax.data.corpus import Candidate, Pair
from softnce_jax.dataflow.cache import GraphCodes, Settings
from softnce_jax.dataflow.example import Example
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.packing import Capacity
from softnce_jax.pretrained.tiny import train_tokenizer

CODE = "def add(a, b):\n    c = a + b\n    return c"
TOKENIZER = Tokenizer(train_tokenizer([CODE, "add two numbers"], 300))


@pytest.fixture
def processor() -> Processor:
    return Processor(TOKENIZER, query_length=5, code_length=9)


def test_queries_and_code_are_cut_at_lengths_of_their_own(processor):
    pair = Pair("add two numbers and more numbers", CODE, "url", "python")
    (query,), (code,) = processor.queries([pair.query]), processor.codes([pair])
    assert query == TOKENIZER.tokenize([pair.query], 5)[0] and len(query) == 5
    assert code == TOKENIZER.tokenize([CODE], 9)[0] and len(code) == 9
    assert processor.codes([Candidate(CODE, "url", "python")]) == [code]


def test_text_is_the_code_and_data_flow_that_of_the_source(processor):
    graphs = GraphCodes(TOKENIZER, Settings("published", code_length=24, flow_length=8))
    written = Candidate(CODE, "url", "python")
    both = Candidate("add two numbers", "url", "python", source=CODE)
    assert processor.codes([both]) == [TOKENIZER.tokenize([both.code], 9)[0]]
    assert processor.codes([both]) != processor.codes([written])
    with_flow = processor._replace(graphs=graphs)
    (found,), (expected,) = with_flow.codes([both]), with_flow.codes([written])
    assert found is not expected and found.ids.tolist() == expected.ids.tolist()
    assert len(found.spans) > 0 and found.edges.tolist() == expected.edges.tolist()


def test_a_caching_processor_gives_the_same_and_tokenizes_once(processor):
    caching = processor.caching()
    (first,), (again,) = caching.queries(["add two"]), caching.queries(["add two"])
    assert first is again and first.tolist() == processor.queries(["add two"])[0]
    (as_code,) = caching.codes([Candidate("add two numbers and more", "url", "python")])
    assert len(as_code) > len(first)


def test_rows_hold_the_longest_text(processor):
    assert processor.capacity == Capacity(9)
    assert processor._replace(query_length=12).capacity == Capacity(12)


def test_with_data_flow_code_is_examples_and_queries_are_ids(processor):
    graphs = GraphCodes(TOKENIZER, Settings("published", code_length=24, flow_length=8))
    processor = processor._replace(graphs=graphs)
    (example,) = processor.codes([Candidate(CODE, "url", "python")])
    assert isinstance(example, Example) and len(example.edges) > 0
    assert processor.queries(["add"]) == TOKENIZER.tokenize(["add"], 5)
    assert processor.capacity.length == 32 and processor.capacity.edges >= len(example.edges)
    assert processor.caching().codes([Candidate(CODE, "url", "python")])[0].ids.tolist() == (
        example.ids.tolist()
    )
