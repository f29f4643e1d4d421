"""The forms that the published rules lack: each edge is there with the extended ones alone."""

from __future__ import annotations

import pytest

from softnce_jax.dataflow.extract import Extractor
from softnce_jax.languages import LANGUAGES
from tests.dataflow.flows import flow

FORMS = {
    "go :=": ("go", "func f(a int) { b := a; g(b) }", "b.1 <- a.2"),
    "go range": ("go", "func f(xs []int) { for i, x := range xs { g(x) } }", "x.1 <- xs.2"),
    "go range twice": ("go", "func f(xs T) { for range xs { g(b); b = xs } }", "b.1 <- b.2"),
    "go --": ("go", "func f(n int) { n--; g(n) }", "n.2 <- n.2"),
    "go for condition": ("go", "func f(n int) { for n < 3 { n = n + 1 } }", "n.2 <- n.3"),
    "go select": ("go", "func f(c T) { select { case v := <-c: g(v) } }", "v.1 <- c.2"),
    "js =": ("javascript", "function f(a) { b = a; return b }", "b.1 <- a.2"),
    "js for of": ("javascript", "function f(xs) { for (const x of xs) g(x) }", "x.1 <- xs.2"),
    "js for in": ("javascript", "function f(xs) { for (k in xs) g(k) }", "k.1 <- xs.2"),
    "js for let": (
        "javascript",
        "function f(n) { for (let i = 0; i < n; i++) {} }",
        "i.2 <- i.3",
    ),
    "js do": ("javascript", "function f(n) { do { g(n); n++ } while (n < 3) }", "n.2 <- n.3"),
    "php key": ("php", "function f($m) { foreach ($m as $k => $v) { g($v); } }", "v.1 <- m.2"),
    "php call": ("php", "function f($m) { foreach ($m->all() as $v) { g($v); } }", "v.1 <- m.2"),
    "php reference": ("php", "function f($m) { foreach ($m as &$v) { g($v); } }", "v.1 <- m.2"),
    "php = &": ("php", "function f($m) { $v = &$m; }", "v.1 <- m.2"),
    "php do": ("php", "function f($n) { do { g($n); $n++; } while ($n); }", "n.2 <- n.3"),
    "ruby while": ("ruby", "def f(n)\n  while n < 3\n    n = n + 1\n  end\nend", "n.2 <- n.3"),
    "ruby block": ("ruby", "def f(xs)\n  xs.each { |x| g(x) }\nend", "x.1 <- xs.2"),
    "ruby do block": ("ruby", "def f(xs)\n  xs.map do |x|\n    x\n  end\nend", "x.1 <- xs.2"),
    "python with": ("python", "def f(p):\n    with open(p) as h:\n        g(h)", "h.1 <- p.2"),
    "python walrus": ("python", "def f(a):\n    if (b := a):\n        g(b)", "b.1 <- a.2"),
    "python for else": (
        "python",
        "def f(xs):\n    for x in xs:\n        y = x\n    else:\n        g(y)",
        "y.1 <- x.2",
    ),
    "java do": ("java", "void f(int n) { do { g(n); n = 3; } while (h); }", "n.2 <- n.3"),
    "java for without init": ("java", "void f(int n) { for (; n < 3; ) n = n + 1; }", "n.2 <- n.3"),
    "java resource": ("java", "void f(P p) { try (R r = g(p)) { h(r); } }", "r.1 <- p.2"),
}
# Where both ways define x, what stood before is gone after the choice.
CHOICES = {
    "go": "func f(a int) { x = 1; if a > 0 { x = 2 } else { x = 3 }; g(x) }",
    "javascript": "function f(a) { var x = 1; if (a) { x += 2 } else { x += 3 } g(x) }",
    "php": "function f($a) { $x = 1; if ($a) { $x = 2; } else { $x = 3; } g($x); }",
    "ruby": "def f(a)\n  x = 1\n  if a\n    x = 2\n  else\n    x = 3\n  end\n  g(x)\nend",
    "java": "void f(int a) { int x = 1; if (a > 0) x = 2; else x = 3; g(x); }",
}


@pytest.mark.parametrize("form", FORMS)
def test_an_edge_that_the_published_rules_miss(form):
    language, code, edge = FORMS[form]
    assert edge in flow(language, code, "extended")
    assert edge not in flow(language, code)


@pytest.mark.parametrize("language", CHOICES)
def test_after_a_choice_with_an_else(language):
    ways = {"x.4 <- x.2", "x.4 <- x.3"}
    kept = {edge for edge in flow(language, CHOICES[language]) if edge.startswith("x.4")}
    extended = flow(language, CHOICES[language], "extended")
    assert {edge for edge in extended if edge.startswith("x.4")} == ways
    assert kept > ways or language == "javascript"  # there else runs on from the branch before


def test_after_elsif_with_an_else():
    ways = "  x = 1\n  if a\n    x = 2\n  elsif b\n    x = 3\n  else\n    x = 4\n  end\n  g(x)"
    edges = flow("ruby", f"def f(a, b)\n{ways}\nend", "extended")
    assert {e for e in edges if e.startswith("x.5")} == {f"x.5 <- x.{n}" for n in (2, 3, 4)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_stops_on_text_that_does_not_parse(language):
    for code in ("", "}", "for foreach while = ++ if else", "def f(:\n x=", "\x00\ud800é", "<?php"):
        for rules in ("published", "extended"):
            tokens, edges, _ = Extractor(language, rules)(code)
            assert all(0 <= at < len(tokens) for at, _, _ in edges)
