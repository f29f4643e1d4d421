"""Functions and their documentation in six languages: each rule, and the neighbour it spares."""

from __future__ import annotations

import pytest

from softnce_jax.data.mining.functions import MAX_LINES, functions
from softnce_jax.data.mining.report import Counts
from softnce_jax.languages import LANGUAGES

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
