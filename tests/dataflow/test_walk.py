"""The walk costs a polynomial and ends in time, with all tokens and the edges found so far."""

from __future__ import annotations

import pytest

from softnce_jax.dataflow import extract
from softnce_jax.dataflow.extract import Extractor
from softnce_jax.dataflow.walk import Walk
from softnce_jax.languages import LANGUAGES
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
@pytest.mark.parametrize("language", LANGUAGES)
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
    tokens, _, problem = Extractor("python")("x = " + "+".join(["abc"] * 100_000))
    assert len(tokens) == 2 + 199_999
    assert problem is None or "steps" in problem
