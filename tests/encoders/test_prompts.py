"""Which prompt stands before a query, a document and any other text."""

from __future__ import annotations

import pytest

from softnce_jax.encoders.prompts import Prompts
from softnce_jax.errors import InputError


@pytest.mark.parametrize(
    ("texts", "default", "usual", "query", "document"),
    [
        ({}, None, "", "", ""),
        ({"query": "q: ", "document": "d: "}, None, "", "q: ", "d: "),
        ({"query": "q: ", "document": "d: "}, "query", "q: ", "q: ", "d: "),
        ({"query": "q: ", "passage": "p: ", "corpus": "c: "}, None, "", "q: ", "p: "),
        ({"corpus": "c: ", "passage": "p: ", "document": "d: "}, None, "", "", "d: "),
        ({"all": "all: "}, "all", "all: ", "all: ", "all: "),
        ({"all": "all: ", "query": ""}, "all", "all: ", "", "all: "),
        # A prompt of queries is none of documents, even as the default; and the other way.
        ({"query": "q: "}, "query", "q: ", "q: ", ""),
        ({"passage": "p: "}, "passage", "p: ", "", "p: "),
        ({"clustering": "k: "}, None, "", "", ""),
        ({}, "document", "", "", ""),
    ],
)
def test_the_sides_have_the_prompts_of_their_names(texts, default, usual, query, document):
    prompts = Prompts(texts, default)
    assert (prompts.usual, prompts.query, prompts.document) == (usual, query, document)


def test_a_default_that_is_not_there_is_named():
    with pytest.raises(InputError, match="default_prompt_name 'q' is not among prompts: a, b"):
        Prompts({"a": "", "b": ""}, "q")
