"""Tokens are cut where they stand, at any depth, without comments."""

from __future__ import annotations

import pytest

from softnce_jax.dataflow.extract import Extractor
from softnce_jax.languages import LANGUAGES


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "x = " + "(" * 20_000 + "a" + ")" * 20_000),
        ("java", "void f() {" + "if (a) {" * 3_000 + "}" * 3_001),
        ("javascript", "f(" * 10_000 + ")" * 10_000),
        ("ruby", "[" * 10_000),
    ],
)
def test_any_depth(language, code):
    tokens, _, problem = Extractor(language)(code)
    assert problem is None and len("".join(tokens)) == len(code.replace(" ", ""))


@pytest.mark.parametrize("language", LANGUAGES)
def test_positions_are_bytes(language):
    name = "$été" if language == "php" else "été"
    code = f'{name} = "日本" ; b = {name}'
    tokens, _, _ = Extractor(language)(code)
    assert "".join(tokens).removeprefix("<?php").removesuffix("?>") == code.replace(" ", "")


def test_comments_leave_with_the_tree():
    for language, code in {
        "javascript": "a = `//x` // y\n/* z */ b = /'/; // don't",
        "go": "a = `//x` // y\n/* z */ b = 1 // don't",
        "php": "$a = '//x'; // y\n# don't\n$b = 1;",
        "java": 'a = "//x"; // y\n/* z */ b = 1; // don\'t',
        "python": 'def f():\n    """doc."""\n    a = "#x"  # y\n    "text".join(a)',
        "ruby": "a = '#x' # y\n=begin\nz\n=end\nb = 1",
    }.items():
        text = " ".join(Extractor(language)(code)[0])
        assert "x" in text.replace("ext", "")
        assert not {"y", "z", "don't", '"""doc."""'} & set(text.split())
    assert '"text"' in text or language == "ruby"


def test_tokens_over_several_lines_are_joined_without_blank_ones():
    tokens, _, _ = Extractor("python")('x = """a\n   \n  b\n"""')
    assert tokens == ["x", "=", '"""a  b"""']
