"""Functions and their documentation in six languages: each rule, and the neighbour it spares."""

from __future__ import annotations

import ast
import inspect
import sysconfig
import warnings
from pathlib import Path

import pytest

from softnce_jax.data.mining import functions as functions_module
from softnce_jax.data.mining.documentation import _evaluated
from softnce_jax.data.mining.functions import MAX_BYTES, MAX_LINES, functions
from softnce_jax.data.mining.report import Counts
from softnce_jax.languages import LANGUAGES, is_docstring, parse

RUBY = """
# Sums the numbers.
#
# @param list [Array]
def sum(list)
  total = 0 # so far
  # each
  list.each { |x| total += x }
  total
end

class A
  # Joins both "# no comment" parts.
  private def self.join(a)
    b = "# no comment"
    b << a
    b
  end

  # Makes an empty basket.
  def initialize(a)
    @a = a
    @b = a
    @c = a
  end

  # Prints a nice string.
  def to_s
    a = 1
    b = 2
    c = 3
  end

  # Tests that it works.
  def test_it
    a = 1
    b = 2
    c = 3
  end

  # Adds two numbers up.
  def short(a)
    b = a
    b + a
  end

  def silent(a)
    b = a
    c = b
    d = c
  end

  # Far above the function.

  def far(a)
    b = a
    c = b
    d = c
  end
end
"""
JAVASCRIPT = """
/** Sums all numbers. */
export const sum = async (list) => {
  let total = 0 // so far
  for (const x of list) total += x
  return total
}
class Basket {
  /** Makes an empty basket. */
  constructor () {
    this.a = 1
    this.b = 2
    this.c = 3
  }
  /**
   * Counts the things inside.
   * @return {number}
   */
  // eslint-disable-next-line
  static async count (x) {
    const a = '/* no comment */'
    const b = a
    return b
  }
  /** Keeps the last one. */
  last = (x) => {
    a()
    b()
    c()
  }
}
/** Prints to the page. */
Basket.prototype.print = function () {
  a()
  b()
  c()
}
module.exports = {
  /** Opens the old page. */
  open: function (x) {
    a()
    b()
    c()
  },
  /* Not documentation at all. */
  close: function () {
    a()
    b()
    c()
  }
}
/** Calls it in one. */
const short = (x) => x
"""
GO = """package a

// Sum adds the numbers.
//
// More of it.
//
//go:noinline
func Sum(list []int) (total int) {
	for _, x := range list { // each
		total += x
	}
	return total
}

/* Join puts parts together. */
func (p *Parts) Join(sep string) string {
	a := "// no comment"
	b := a + sep
	return b
}

// String is what it prints.
func (p *Parts) String() string {
	a := 1
	b := 2
	return a + b
}

// init sets it up.
func init() {
	a()
	b()
	c()
}

// External is written elsewhere.
func External(x int)
"""
PYTHON = '''
import os


def total(numbers):
    """Sum the numbers.

    Args:
        numbers: to be summed.
    """
    # start
    count = 0  # so far
    for number in numbers:
        count += number
    return count


class Basket:
    def __init__(self):
        """Make an empty basket."""
        self.a = 1
        self.b = 2
        self.c = 3

    def __len__(self):
        """Count what is inside."""
        a = 1
        b = 2
        return a + b

    @property
    async def first(self):
        # A comment before it.
        "Return the first thing."
        text = """not
        documentation"""
        if text:
            def inner(x):
                """Do the inner things."""
                a = x
                b = a
                return b
            return inner
        return None

    def test_it(self):
        """Test that it works."""
        a = 1
        b = 2
        return a

    def latest(self):
        """Return the latest thing."""
        a = 1
        b = 2
        return a

    def short(self):
        """Return the shortest thing."""
        a = 1
        return a

    def silent(self):
        a = 1
        b = 2
        return a
'''
JAVA = """
class A {
  /** Makes an empty basket. */
  A() {
    a();
    b();
    c();
  }
  /**
   * Sums all {@code numbers}.
   * @return it
   */
  @Override
  public int sum(int[] numbers) { // all
    int total = 0;
    /* each
       of them */
    for (int x : numbers) total += x;
    return total;
  }
  /** Compares it to others. */
  public boolean equals(Object o) {
    a();
    b();
    return true;
  }
  /** Promises to do it. */
  abstract void later(int x);
  // Not documentation at all.
  void silent() {
    a();
    b();
    c();
  }
}
"""
PHP = """<html><?php
namespace A;
/**
 * Sums all numbers.
 * @param int[] $numbers
 */
#[Pure]
function sum(array $numbers) {
    $total = 0; # so far
    foreach ($numbers as $x) { $total += $x; }
    return $total;
}
class B {
    /** Makes an empty basket. */
    public function __construct() {
        a();
        b();
        c();
    }
    /** Gets any old thing. */
    public function __get($x) {
        a();
        b();
        c();
    }
    /** Joins all the parts. */
    public static function join($a)
    {
        $b = '// no comment';
        $b .= $a;
        return $b;
    }
}
?></html>
"""
SOURCES = {
    "ruby": RUBY,
    "javascript": JAVASCRIPT,
    "go": GO,
    "python": PYTHON,
    "java": JAVA,
    "php": PHP,
}
KEPT = {
    "ruby": {"sum": "Sums the numbers.", "join": 'Joins both "# no comment" parts.'},
    "javascript": {
        "sum": "Sums all numbers.",
        "count": "Counts the things inside.",
        "last": "Keeps the last one.",
        "print": "Prints to the page.",
        "open": "Opens the old page.",
    },
    "go": {"Sum": "Sum adds the numbers.", "Join": "Join puts parts together."},
    "python": {
        "total": "Sum the numbers.",
        "first": "Return the first thing.",
        "latest": "Return the latest thing.",
    },
    "java": {"sum": "Sums all numbers."},
    "php": {"sum": "Sums all numbers.", "join": "Joins all the parts."},
}
DROPPED = {
    "ruby": {
        "a constructor": 1,
        "a standard method": 1,
        "a test": 1,
        "a body of fewer than 3 lines": 1,
        "no documentation": 2,
    },
    "javascript": {"a constructor": 1, "no documentation": 1},
    "go": {"a standard method": 1, "a constructor": 1},
    "python": {
        "a constructor": 1,
        "a standard method": 1,
        "inside a function that is kept": 1,
        "a test": 1,
        "a body of fewer than 3 lines": 1,
        "no documentation": 1,
    },
    "java": {"a constructor": 1, "a standard method": 1, "no documentation": 1},
    "php": {"a constructor": 1, "a standard method": 1},
}


def mined(source: str, language: str):
    counts = Counts()
    found = functions(source.encode(), language, counts, "file")
    assert counts.kept["functions"] == len(found)
    assert counts.broken == ("= =" in source)
    return found, {reason: number for (_, reason), number in counts.dropped.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_kept_and_what_is_dropped(language):
    found, dropped = mined(SOURCES[language], language)
    assert {function.name: function.query for function in found} == KEPT[language]
    assert dropped == DROPPED[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_are_those_of_the_file_and_comments_leave_the_code(language):
    lines = SOURCES[language].split("\n")
    for function in mined(SOURCES[language], language)[0]:
        assert function.code.split("\n")[0].strip(" #") in lines[function.first - 1]
        assert lines[function.last - 1].strip().startswith(function.code.split("\n")[-1].strip())
        for comment in ("so far", "# each", "/ each", "start", "Sums", "Sum adds", "before"):
            assert comment not in function.code
        assert ("no comment" in function.code) == (function.name in ("join", "Join", "count"))
    assert mined(SOURCES[language], language)[0]


def test_the_indentation_of_the_first_line_leaves_the_others():
    code = {function.name: function.code for function in mined(RUBY, "ruby")[0]}
    assert code["join"] == 'def self.join(a)\n  b = "# no comment"\n  b << a\n  b\nend'
    assert code["sum"] == "def sum(list)\n  total = 0\n  list.each { |x| total += x }\n  total\nend"


def python(body: int, name: str = "f", text: str = "Return the first thing.") -> str:
    lines = "".join(f"    a{n} = {n}\n" for n in range(body))
    return f'def {name}():\n    """{text}"""\n{lines}'


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (python(3), None),
        (python(2), "a body of fewer than 3 lines"),
        (python(2) + "    # a comment is no line\n\n", "a body of fewer than 3 lines"),
        (python(MAX_LINES - 2), None),
        (python(MAX_LINES), f"longer than {MAX_LINES} lines"),
        (python(3) + "    b = = 1\n", "broken syntax"),
        (python(3, text=""), "documentation without prose"),
        (python(3, text="Return it."), None),
        (python(3, text="Gibt das erste Element der Liste zurück."), "a query that is not English"),
        (python(3, text="See if https://a.org is there."), "a query with special content"),
    ],
)
def test_reasons(source, reason):
    found, dropped = mined(source, "python")
    assert len(found) == (reason is None)
    assert [each[: len(reason or "")] for each in dropped] == ([reason] if reason else [])


def test_in_a_function_too_long_to_keep_the_inner_ones_are_found():
    inner = python(3, name="inner").replace("\n", "\n    ")
    source = python(MAX_LINES) + "    " + inner
    assert [function.name for function in mined(source, "python")[0]] == ["inner"]


def test_broken_syntax_costs_only_the_function_it_is_in():
    source = python(3, "good") + python(3, "bad") + "    b = = 1\n" + python(3, "better")
    assert [function.name for function in mined(source, "python")[0]] == ["good", "better"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("unit", ["(", "{", "if (a) ", "def f\n", "<<A ", '"#{', "/*"])
def test_any_text_is_read(language, unit):
    functions((unit * 4_000).encode(), language, Counts(), "file")


@pytest.mark.parametrize("broken", [10, 3000])
def test_a_file_torn_all_over_is_left_out(broken):
    source = python(3) + "\n" + "x = ) (\n" * broken
    counts = Counts()
    found = functions(source.encode(), "python", counts, "file")
    assert len(found) == (broken == 10) and counts.broken == 1


@pytest.mark.parametrize("levels", [1_000, 21_000])
def test_a_file_nested_too_deeply_is_left_out(levels):
    source = python(3) + "\nx = " + "a = " * levels + "1\n" + "# padding\n" * 2_000
    counts = Counts()
    found = functions(source.encode(), "python", counts, "file")
    assert len(found) == (levels == 1_000) == 1 - counts.broken


BODY = "{\n  a();\n  b();\n  c();\n}"
DOC = "/** Adds all of it. */"
JAVA_METHOD = f"int f(int x) {BODY}"
# Sources, and whether the comment documents the function in them.
PLACES = [
    ("javascript", f"{DOC}\n\nfunction f() {BODY}", True),
    ("javascript", f"{DOC}\n\n\n\nfunction f() {BODY}", True),
    ("javascript", f"class A {{\n  {DOC}\n\n  // eslint\n\n  f() {BODY}\n}}", True),
    ("javascript", f"{DOC}\n\nexport default function f() {BODY}", True),
    ("javascript", f"{DOC}\n\nexport const f = () => {BODY}", True),
    ("javascript", f"{DOC}\nmodule.exports = exports.f = function () {BODY}", True),
    ("javascript", f"{DOC}\nconst f = exports.f = function () {BODY}", True),
    ("javascript", f"{DOC}\n\nlet g = 1, f = () => {BODY}", False),
    ("javascript", f"let g = 1,\n  {DOC}\n\n  f = () => {BODY}", True),
    ("javascript", f"{DOC}\n\ng();\nfunction f() {BODY}", False),
    ("javascript", f"g(); {DOC}\nfunction f() {BODY}", False),
    ("javascript", f"g(); {DOC} function f() {BODY}", True),
    ("javascript", f"x = {{ {DOC}\n  f: function () {BODY} }}", True),
    ("javascript", f"x = {{ g: 1, {DOC}\n  f: function () {BODY} }}", False),
    ("javascript", f"/* {DOC[3:]}\n\nfunction f() {BODY}", False),
    ("javascript", f"{DOC}\n/** @typedef {{A}} B */\n\nfunction f() {BODY}", True),
    ("javascript", f"/**\n * The words of it.\n * @module a\n */\n\nfunction f() {BODY}", False),
    ("javascript", f"/** Copyright of all of it. @license MIT */\n\nfunction f() {BODY}", False),
    ("javascript", f"/** This file adds all. */\n\nfunction f() {BODY}", False),
    ("javascript", f"/** Adds all to this file. */\nfunction f() {BODY}", True),
    ("javascript", f"g()\n/** Adds all to this file. */\n\nfunction f() {BODY}", True),
    ("java", f"class A {{\n  {DOC}\n\n\n  {JAVA_METHOD}\n}}", True),
    ("java", f"class A {{\n  {DOC}\n\n  @B(1)\n  @C\n  {JAVA_METHOD}\n}}", True),
    ("java", f"class A {{\n  @B(1)\n  {DOC}\n  {JAVA_METHOD}\n}}", False),
    ("java", f"class A {{\n  {DOC}\n  int g;\n\n  {JAVA_METHOD}\n}}", False),
    ("java", f"class A {{\n  int g; {DOC}\n  {JAVA_METHOD}\n}}", False),
    ("php", f"<?php\n{DOC}\n\nfunction f($x) {BODY}", True),
    ("php", f"<?php {DOC}\nfunction f($x) {BODY}", True),
    ("php", f"<?php\n{DOC}\n#[B]\n#[C(1)]\nfunction f($x) {BODY}", True),
    ("php", f"<?php\n#[B]\n{DOC}\nfunction f($x) {BODY}", True),
    ("php", f"<?php\n#[B]\n{DOC}\n#[C]\nfunction f($x) {BODY}", True),
    ("php", f"<?php\n#[B({DOC} 1)]\nfunction f($x) {BODY}", False),
    ("php", f"<?php class A {{\n #[B]\n\n {DOC}\n public static function f($x) {BODY}\n}}", True),
    ("php", f"<?php class A {{\n #[B]\n # {DOC}\n public function f($x) {BODY}\n}}", False),
    ("php", f"<?php\n{DOC}\n$x = 1;\nfunction f($x) {BODY}", False),
    ("ruby", "# Adds all of it.\n\ndef f\n  a\n  b\n  c\nend", False),
    ("ruby", "# Adds all of it.\ndef f\n  a\n  b\n  c\nend", True),
    ("go", f"package a\n// f adds all.\n\nfunc f() {BODY}", False),
    ("go", f"package a\n// f adds all.\nfunc f() {BODY}", True),
    ("python", "def f():\n    # c\n    ('Adds ' 'all of it.')\n    a()\n    b()\n    c()", True),
    ("python", "def f():\n    a()\n    'Adds all of it.'\n    b()\n    c()", False),
    ("python", "def f():\n    f'Adds all of it.'\n    a()\n    b()\n    c()", False),
    ("python", "def f():\n    b'Adds all of it.'\n    a()\n    b()\n    c()", False),
    ("python", "def f():\n    'Adds all of it.',\n    a()\n    b()\n    c()", False),
]


@pytest.mark.parametrize(("language", "source", "is_documented"), PLACES)
def test_where_documentation_stands(language, source, is_documented):
    found, dropped = mined(source, language)
    assert [function.name for function in found] == ["f"] * is_documented
    assert set(dropped) == (set() if is_documented else {"no documentation"})


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("x = {{ {doc} ['a.b']() {body} }}", "a.b"),
        ("x = {{ {doc} 'a b': function () {body} }}", "a b"),
        ("class A {{ {doc} [Symbol.iterator]() {body} }}", "[Symbol.iterator]"),
        ("class A {{ {doc} static async *[a + 'b']() {body} }}", "[a + 'b']"),
        ("class A {{ {doc} #a() {body} }}", "a"),
        ("{doc} a.b['c d'] = function () {body}", "c d"),
        ("{doc} a.b[c] = function () {body}", "[c]"),
        ("{doc} a.b\n.c = function () {body}", "c"),
        ("x = {{ {doc} 12: function () {body} }}", "12"),
    ],
)
def test_names_of_javascript(head, name):
    source = head.format(doc=DOC, body=BODY)
    assert [function.name for function in mined(source, "javascript")[0]] == [name]


def test_a_function_too_large_is_left_out():
    for size, reason in ((MAX_BYTES - 200, []), (MAX_BYTES, ["larger than 100 kB"])):
        source = python(3) + "    " + "a = 1;" * (size // 6) + "\n"
        assert list(mined(source, "python")[1]) == reason


def test_functions_in_functions_are_parsed_again_a_few_times_only():
    """Each of them is parsed before it shows that it has too few lines without comments."""
    nested = "".join(f"{DOC} function f{n}() {{/*\n\n*/" for n in range(60)) + "}" * 60
    dropped = mined(nested, "javascript")[1]
    assert dropped["inside too many functions"] > dropped["a body of fewer than 3 lines"] > 3
    assert sum(dropped.values()) == 60


@pytest.mark.parametrize("lines", [2, 3])
def test_comments_before_the_body_are_no_lines_of_it(lines):
    body = "{\n" + "  a();\n" * lines + "}"
    for language, source in {
        "python": "def f():\n    # c\n\n    # d\n    'Adds all of it.'\n" + "    a()\n" * lines,
        "php": f"<?php\n#[B]\n# c\n/**\n * Adds all of it.\n */\nfunction f($x)\n{body}",
        "javascript": f"/** Adds all of it. */\nfunction f(/* x\n y */) {body}",
    }.items():
        assert len(mined(source, language)[0]) == (lines == 3), language


def test_many_functions_below_many_comments_take_no_time():
    source = "# Adds all of it.\n" * 5_000 + "def f() = 1; " * 20_000
    assert not mined(source, "ruby")[0]
    source = f"{DOC[:-2]}" + "\n" * 500_000 + f"*/\nfunction f() {BODY}"
    assert len(mined(source, "javascript")[0]) == 1


def test_a_source_that_takes_too_long_to_parse_is_left_out(monkeypatch):
    counts, trees = Counts(), []

    def keep(*given):
        trees.append(parse(*given))
        return trees[-1]

    monkeypatch.setattr(functions_module, "parse", keep)
    assert functions(b"def f\n" + b"%w[" * 30_000, "ruby", counts, "file") == []
    assert trees == [None] and counts.broken == 1


def test_a_parse_that_takes_too_many_steps_is_given_up():
    """At its end Go's parser takes memory with the square of the source: gigabytes for 60 kB."""
    assert parse(b"package a\n" + b"%w[]" * 50_000, "go") is None
    function = (
        b"func f(list []int) (total int) {\n\tfor _, x := range list {\n\t\ttotal += x\n\t}\n}\n"
    )
    assert parse(b"package a\n" + function * 6_000, "go") is not None


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "unit",
    [
        *("(", '"#{', "`${", "<<A ", "%w[", "%w[]", "<%", "'", "#\n", "if a:\n ", "def f("),
        *("/** Adds it all. */function a(){", "/** Adds all of it. */\nfunction a(){\n\n\n\n}\n"),
        "def f():\n 'Adds all of it.'\n a\n b\n c\n",
    ],
)
def test_much_of_anything_is_read(language, unit):
    """In a second or two; without limits some of a quarter of a megabyte take hours."""
    prefix = "<?php " if language == "php" else ""
    source = (prefix + unit * (250_000 // len(unit)))[:250_000]
    functions(source.encode(), language, Counts(), "file")


@pytest.mark.slow
def test_docstrings_are_those_of_python():
    """Of every function of the standard library."""
    compared = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        source = path.read_bytes()
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
        expected = {
            (node.lineno, node.col_offset): ast.get_docstring(node)
            for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        nodes, found = [parse(source, "python").root_node], {}
        while nodes:
            node = nodes.pop()
            nodes.extend(node.children)
            if node.type == "function_definition":
                first = node.child_by_field_name("body").named_children[0]
                text = source[first.start_byte : first.end_byte].decode()
                docstring = _evaluated(text) if is_docstring(first, source) else None
                start = node.start_point.row + 1, node.start_point.column
                found[start] = None if docstring is None else inspect.cleandoc(docstring)
        assert found == expected, path
        compared += len(found)
    assert compared > 3_000
