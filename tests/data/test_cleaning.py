"""Cleaning rules: each drops what it names, and leaves its nearest neighbour."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path

import pytest

from softnce_jax.data import cleaning
from softnce_jax.data.cleaning import (
    is_english,
    reason_to_drop,
    reason_to_drop_code,
    without_comments,
)
from softnce_jax.data.sample import load_sample
from softnce_jax.languages import LANGUAGES

CODE = "def area(w, h):\n    return w * h"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sample_is_clean(language):
    for pair in load_sample(language).train:
        assert reason_to_drop(pair.query, pair.code, language) is None


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (["area", "of"], cleaning.TOO_SHORT),
        (["the", "area", "of"], None),
        ("the area of a box " * 51 + "a", None),
        ("the area of a box " * 51 + "a b", cleaning.TOO_LONG),
        ('Shows <img src="a.png"> as text', cleaning.SPECIAL_CONTENT),
        ("Shows the <b>img</b> as text", None),
        ("See https://example.org for the area", cleaning.SPECIAL_CONTENT),
        (["see", "https", ":", "//example.org"], cleaning.SPECIAL_CONTENT),
        ("Speaks the https protocol to a server", None),
        ("Gibt die Fläche eines Rechtecks zurück", cleaning.NOT_ENGLISH),
        ("Devuelve el área de un rectángulo", cleaning.NOT_ENGLISH),
        ("返回矩形的面积 和 宽度 高度", cleaning.NOT_ENGLISH),
        ("Returns the area of a naïve rectangle", None),
    ],
)
def test_queries(query, reason):
    assert reason_to_drop(query, CODE, "python") == reason


@pytest.mark.parametrize(
    ("language", "code", "bare"),
    [
        ("python", CODE, CODE),
        ("python", "def f(x):\n    return (", None),
        ("python", "# a comment alone", ""),
        ("python", 'def f():\n    """Doc."""\n', "def f():\n    pass"),
        ("python", 'def f(): "a"; "b"; return 1', "def f(): return 1"),
        ("python", 'def f():\n    "a"; x = 1', "def f():\n    x = 1"),
        (
            "python",
            'def f(x):\n    if x:\n        # why\n        "a"\n        ("b"  # c\n         "d")',
            "def f(x):\n    if x:\n        pass",
        ),
        (
            "python",
            'def f(x):\n    f"{x}"\n    b"a"\n    "a",\n    return x',
            'def f(x):\n    f"{x}"\n    b"a"\n    "a",\n    return x',
        ),
        ("python", 'class A:\n    "a" \'b\'\n    x = "c"', 'class A:\n    x = "c"'),
        (
            "php",
            "function f($x) {\n  $a = <<<A\n$x\n# a\nA;\n  # b\n  $b = <<<A\n$x\n/* a */\nA;\n}",
            "function f($x) {\n  $a = <<<A\n$x\n# a\nA;\n  $b = <<<A\n$x\n/* a */\nA;\n}",
        ),
        (
            "ruby",
            "def f\n  a = <<~A\n    # a\n  A\n  # b\n  a\nend",
            "def f\n  a = <<~A\n    # a\n  A\n  a\nend",
        ),
        (
            "python",
            'def f(x):\n    r"""Doc."""\n    return "# no"  # yes',
            'def f(x):\n    return "# no"',
        ),
        (
            "python",
            "def f():\n    é = '''a\n\n  b'''  # ü\n    return é",
            "def f():\n    é = '''a\n\n  b'''\n    return é",
        ),
        ("ruby", "def f(a)\n  # why\n  '# no'\nend", "def f(a)\n  '# no'\nend"),
        ("ruby", "def f(a)\n  a +", None),
        (
            "java",
            "@Override\npublic int f() { return/* c */1; } // d",
            "@Override\npublic int f() { return 1; }",
        ),
        ("java", "/** Doc. */\nFoo(int a) { x(); }", "Foo(int a) { x(); }"),
        ("java", "public int f() { return 1 ", None),
        (
            "javascript",
            "get size() { // n\n  return `// ${this.n}` }",
            "get size() {\n  return `// ${this.n}` }",
        ),
        ("javascript", "function (a) { /* b */ return a }", "function (a) {  return a }"),
        ("javascript", "load: function (a) { return a }", "load: function (a) { return a }"),
        ("javascript", "function (a) { return a", None),
        (
            "php",
            "public function f($a) {\n  # b\n  return '# no';\n}",
            "public function f($a) {\n  return '# no';\n}",
        ),
        ("php", "function f($a) { return ", None),
        (
            "go",
            "func (s *S) F() error {\n\t// why\n\treturn nil\n}",
            "func (s *S) F() error {\n\treturn nil\n}",
        ),
        ("go", "func F() error { return", None),
    ],
)
def test_comments_leave_and_broken_code_does_not_parse(language, code, bare):
    assert without_comments(code, language) == bare
    reason = cleaning.UNPARSED if bare is None else None if bare else cleaning.ONLY_COMMENTS
    assert reason_to_drop("The area of a rectangle", code, language) == reason


@pytest.mark.parametrize(
    ("language", "comment"),
    [
        ("python", "# a"),
        ("ruby", "=begin\na\n=end"),
        ("java", "/** a */ // b"),
        ("javascript", "// a"),
        ("php", "# a"),
        ("go", "/* a */"),
    ],
)
def test_comments_alone_are_no_code(language, comment):
    assert reason_to_drop_code(comment, language) == cleaning.ONLY_COMMENTS
    code = next(pair.code for pair in load_sample(language).train)
    assert reason_to_drop_code(f"{comment}\n{code}", language) is None


def test_short_english_with_names_in_it_is_english():
    for text in ("Delete a file.", "capwords(s, sep) to string", "Lock the mailbox.", "x"):
        assert is_english(text)


def test_deep_code_is_no_matter():
    code = "def f(x):\n    return " + "(" * 4000 + "x" + ")" * 4000
    assert without_comments(code, "python") == code


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "def f():\n    " + '"a"; ' * 50_000 + "return 1"),
        ("python", "def f():\n    return 1" + "  # a\n" * 2_000),
        ("javascript", "function f() {" + "/* a */;" * 50_000 + "}"),
        pytest.param("ruby", "def f\n" + "%w[" * 30_000, marks=pytest.mark.slow),
    ],
)
def test_many_comments_take_no_time(language, code):
    bare = without_comments(code, language)
    assert (bare is None) == (language == "ruby") and "a" not in (bare or "")


@pytest.mark.slow
def test_what_takes_too_long_to_parse_is_no_part_of_it():
    """Python's grammar looks ahead over all comments that follow, at each of them."""
    assert without_comments("def f():\n    return 1" + "  # a\n" * 20_000, "python") is None


def without_text(code: str) -> str:
    """The syntax tree of Python code without statements that are text alone."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            if isinstance(block := getattr(node, name, None), list):
                kept = [each for each in block if not is_text(each)]
                setattr(node, name, kept or ([ast.Pass()] if block else []))
    return ast.dump(tree)


def is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@pytest.mark.slow
def test_the_rest_is_what_python_reads_without_docstrings():
    """Functions and classes of the standard library and of what is installed."""
    roots = {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}
    compared = 0
    for path in sorted(path for root in roots for path in Path(root).rglob("*.py"))[::60]:
        try:
            source = path.read_text("utf-8")
            with warnings.catch_warnings(action="ignore"):
                functions = [
                    ast.get_source_segment(source, node)
                    for node in ast.parse(source).body
                    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                ]
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for function in functions[:20]:
            bare = without_comments(function, "python")
            if bare is None:  # the grammar lags behind the language
                continue
            with warnings.catch_warnings(action="ignore"):
                assert ast.dump(ast.parse(bare)) == without_text(function), path
            compared += 1
    assert compared > 500
