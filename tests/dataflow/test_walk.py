"""The walk costs a polynomial, ends in time and never recurses; tokens survive whatever comes."""

from __future__ import annotations

import pytest

from softnce_jax.dataflow import extract
from softnce_jax.dataflow.extract import GRAMMARS, Extractor
from softnce_jax.dataflow.walk import Walk
from tests.dataflow.flows import flow

# The head and the foot of a loop round which a value is carried.
LOOPS = {
    "python": ("def f(x, n):\n", "{indent}for i{n} in range(n):\n", "{indent}y = x\n", ""),
    "ruby": ("def f(x, n)\n", "for i{n} in 0..n\n", "y = x\n", "end\n"),
    "java": ("void f(int x, int n) {{", "for (int i{n} = 0; i{n} < n; i{n}++) {{", "y = x;", "}}"),
    "go": ("func f(x, n int) {{", "for i{n} = 0; i{n} < n; i{n}++ {{", "y = x;", "}}"),
    "javascript": (
        "function f(x, n) {{",
        "for (var i{n} = 0; i{n} < n; i{n}++) {{",
        "y = x;",
        "}}",
    ),
    "php": ("function f($x, $n) {{", "for ($i{n} = 0; $i{n} < $n; $i{n}++) {{", "$y = $x;", "}}"),
}


def nested(language: str, depth: int) -> str:
    head, loop, body, foot = LOOPS[language]
    loops = "".join(loop.format(n=n, indent=" " * (n + 1)) for n in range(depth))
    inner = body.format(indent=" " * (depth + 1))
    ends = foot.format() * (depth + (language != "python"))
    return head.format() + loops + inner + ends


@pytest.fixture
def steps(monkeypatch):
    """Takes a language, code and rules; returns the steps of the walk and the data flow."""
    walks = []

    class Counting(Walk):
        def __init__(self, *args):
            super().__init__(*args)
            walks.append(self)

    monkeypatch.setattr(extract, "Walk", Counting)

    def count(language, code, rules="published"):
        found = Extractor(language, rules)(code)
        return walks[-1].spent, found

    return count


@pytest.mark.parametrize("rules", ["published", "extended"])
@pytest.mark.parametrize("language", GRAMMARS)
def test_nested_loops_cost_a_polynomial(language, rules, steps):
    (ten, _), (sixty, found) = (steps(language, nested(language, n), rules) for n in (10, 60))
    assert found.problem is None and len(found.edges) > 60
    assert sixty < 6**3 * ten < 200_000  # 2^50 times as many without remembering


def test_a_loop_is_run_again_for_another_state():
    code = "def f(a, b):\n    while a:\n        while b:\n            c = d\n            d = a"
    assert {"d.1 <- d.2", "d.2 <- a.3"} <= flow("python", code)
    code = "def f(a, b):\n    while a:\n        while b:\n            c = d\n        d = a"
    assert {"d.1 <- d.2", "d.2 <- a.3"} <= flow("python", code)


def test_ten_thousand_operators():
    tokens, edges, problem = Extractor("python")("def f(a):\n    return " + "a + " * 9_999 + "a")
    assert problem is None and len(tokens) == 7 + 19_999
    assert len(edges) == 10_001


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


QUADRATIC = {
    "chained assignments": ("python", " = ".join(f"a{n}" for n in range(5_000)), 9_999),
    "names to names": (
        "javascript",
        "var [{0}] = [{0}]".format(",".join(f"a{n}" for n in range(2_000))),
        2 * 4_001 + 2,
    ),
    "choices, then uses": (
        "python",
        "def f(x):\n" + "    if c:\n        x = 1\n" * 2_000 + "    x\n" * 2_000,
        6 + 6 * 2_000 + 2_000,
    ),
}


@pytest.mark.parametrize("trap", QUADRATIC)
def test_quadratic_traps_end_with_the_edges_found_so_far(trap, monkeypatch):
    language, code, count = QUADRATIC[trap]
    tokens, edges, problem = Extractor(language, budget=50_000)(code)
    assert len(tokens) == count and edges
    assert problem == "more than 50,000 steps"
    assert sum(1 + len(parents) for _, _, parents in edges) <= 50_000


def test_a_long_line_keeps_its_tokens():
    tokens, _, problem = Extractor("python")("x = " + "+".join(["abc"] * 250_000))
    assert len(tokens) == 2 + 499_999
    assert problem is None or "steps" in problem


@pytest.mark.parametrize("language", GRAMMARS)
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
