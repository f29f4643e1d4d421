"""Documentation to plain words: what goes, and its neighbour that stays."""

from __future__ import annotations

import random

import pytest

from softnce_jax.data.mining.documentation import docstring, godoc, javadoc, jsdoc, phpdoc, rdoc
from softnce_jax.data.mining.functions import MAX_DOCUMENTATION

PYTHON = {
    "'Joins two parts, ' \"which is one text.\"": "Joins two parts, which is one text.",
    "('In '\n    'parentheses.')": "In parentheses.",
    r"'Splits at \"it\" and caf\u00e9.'": 'Splits at "it" and café.',
    r"r'Splits at \d in it.'": r"Splits at \d in it.",
    r"'Writes \ud800 to it.'": "Writes ? to it.",
    r"'Splits at \d in it, which is no escape.'": r"Splits at \d in it, which is no escape.",
    "f'Formats {x} of it.'": "",
    "b'Bytes of it.'": "",
    "('In', 'a tuple.')": "",
    "':class:`Foo` wraps the file.'": "Foo wraps the file.",
    "'Replaces & by &amp; in it.'": "Replaces & by &amp; in it.",
    '"""One line."""': "One line.",
    "r'Raw line.'": "Raw line.",
    '"""First\n    of two.\n\n    Second paragraph.\n    """': "First of two.",
    '"""Adds all.\n\n    Args:\n        x: a number.\n    """': "Adds all.",
    '"""Adds it.\n    :param x: a number\n    """': "Adds it.",
    '"""Adds it.\n    @param x: a number\n    """': "Adds it.",
    '"""Adds it.\n    Parameters\n    ----------\n    x : int\n    """': "Adds it.",
    '"""Parameters of it are added."""': "Parameters of it are added.",
    '"""Calls :meth:`~list.sort` and :py:func:`len <builtins.len>`."""': "Calls list.sort and len.",
    '"""See if `the manual <https://a.org>`_ is *all* **it** has."""': (
        "See if the manual is all it has."
    ),
    '"""Multiplies a*b*c by __name__."""': "Multiplies a*b*c by __name__.",
    '"""f(x) -> y\n\n    Finds y.\n    """': "Finds y.",
    '"""Finds y (x -> y) in it."""': "Finds y (x -> y) in it.",
    '"""Set in\n       by the author.\n    """': "Set in by the author.",
    '""">>> f(1)\n    2\n    """': "",
    '"""Deprecated: use g.\n\n    Adds x."""': "Adds x.",
    '"""   """': "",
}
RUBY = {
    "# encoding: utf-8\n# Sorts it.": "Sorts it.",
    "# vim: set ts=2:\n# -*- coding: utf-8 -*-\n# Sorts it.": "Sorts it.",
    "#!/usr/bin/env ruby\n# frozen-string-literal: true\n# Sorts it.": "Sorts it.",
    "# Encoding: how bytes become text.": "Encoding: how bytes become text.",
    "# Vim: the editor that opens it.": "Vim: the editor that opens it.",
    "# {Foo the foo} is sorted.": "the foo is sorted.",
    "# <b>Sorts</b> all of it.": "Sorts all of it.",
    "# Sorts it.": "Sorts it.",
    "##\n# Sorts +list+, <tt>key</tt>\n# and `x`.\n#\n# More.": "Sorts list, key and x.",
    "# 1 + 2 + 3 of C++": "1 + 2 + 3 of C++",
    "# Sorts it.\n# @param list [Array]\n# @return [Array] it": "Sorts it.",
    "# @return [Array] it": "",
    "# :nodoc:": "",
    "# :call-seq:\n#   sort(list) -> list\n#\n# Sorts it.": "Sorts it.",
    "# == Description\n#\n# Sorts it.": "Sorts it.",
    "# == Args\n#\n# +v+::\n#   A list.\n#\n# == Description\n#\n# Sorts it.": "Sorts it.",
    "# Sorts it:\n#   sort(list)\n# At once.": "Sorts it:",
    "# Sorts what {Foo#bar} gives, {Foo the foo}, {it}[rdoc-ref:It].": (
        "Sorts what Foo#bar gives, the foo, it."
    ),
    "#--\n# For us.\n#++\n# Sorts it.": "Sorts it.",
    "=begin\nSorts it.\n=end": "Sorts it.",
    "# rubocop:disable all\n# Sorts it.": "Sorts it.",
    "# simplecov:disable\n# Sorts it.": "Sorts it.",
    "# @!visibility private\n# Sorts it.": "Sorts it.",
    "# -----\n# Sorts it.\n# -----": "Sorts it.",
    "# x = sort(list)": "",
    "# * Sorts it": "",
}
JAVA = {
    "/** Same as {@link A#m(String, int)} but {@link A#m(String, int) faster}. */": (
        "Same as A.m(String, int) but faster."
    ),
    "/** Reads a {@link Map<String, Integer>} and {@linkplain #a(B<C, D>) its keys}. */": (
        "Reads a Map<String, Integer> and its keys."
    ),
    "/** Fills it with {@code new int[] {1, {2}}} from the left. */": (
        "Fills it with new int[] {1, {2}} from the left."
    ),
    "/** {@code null} safe sum of {@code List<P>}s. */": "null safe sum of List<P>s.",
    "/** {@code {@link a}} is {@literal *not* &lt;}. */": "{@link a} is *not* &lt;.",
    "/** <b>Slow</b> search. */": "Slow search.",
    "/** &lt;p&gt; is taken out. */": "<p> is taken out.",
    "/** {@return the size of it} */": "Returns the size of it.",
    "/** Adds {@code a to it. */": "Adds {@code a to it.",
    "/** {@link A} */": "",
    "/**\n * {@link A#b\n * the link} is opened.\n */": "the link is opened.",
    "/** Adds <!-- no --> all <!-- of it. */": "Adds all <!-- of it.",
    "/** {a: 1} */": "",
    "/** Adds all. */": "Adds all.",
    "/**\n * Adds\n * them.\n *\n * More.\n */": "Adds them.",
    "/**\n * Adds all.<p>\n * More.\n */": "Adds all.",
    "/**\n * Adds all.\n * @param a one\n */": "Adds all.",
    "/** Mails a@b to them. */": "Mails a@b to them.",
    "/** Adds {@code a<b>} to {@link List#add(int) the list}, {@link #size}. */": (
        "Adds a<b> to the list, size."
    ),
    "/** Turns a List<String> of <b>bold</b> &lt;ints&gt; &amp; more. */": (
        "Turns a List<String> of bold <ints> & more."
    ),
    "/** {@inheritDoc} */": "",
    "/** @return it */": "",
    "/***********\n * Adds all.\n ***********/": "Adds all.",
    "/**\n   Without stars.\n */": "Without stars.",
}
JAVASCRIPT = {
    "/**\n * {@link A#b} format with [the day]{@link Day}.\n */": "A.b format with the day.",
    "/**\n * @internal\n * Adds all\n * @private @async\n * of it.\n */": "Adds all of it.",
    "/**\n * @private {A}\n * Adds all.\n */": "",
    "/**\n * @function add\n * @description Adds all.\n * @param a\n */": "Adds all.",
    "/** `a` adds all. */": "a adds all.",
    "/** Adds ``a`b`` and `c. */": "Adds a`b and `c.",
    "/** f(a) and g(b) are called. */": "f(a) and g(b) are called.",
    "/** f(a).g(b) */": "",
    "/**\n * @description Adds `a` to **b**.\n * @param a\n */": "Adds a to b.",
    "/** Sees [the manual](http://a.org) and {@link https://b.org|that}. */": (
        "Sees the manual and that."
    ),
    "/**\n * Adds all.\n * ```js\n * add(1)\n * ```\n */": "Adds all.",
    "/** @private */": "",
}
PHP = {
    "/** $path is opened first. */": "$path is opened first.",
    "/** $a, $b and $c are added. */": "$a, $b and $c are added.",
    "/** $a = open($path); */": "",
    "/** $ php open.php file */": "",
    "/** $this->open($path); */": "",
    "/**\n * Opens $file.\n *\n * @return bool\n */": "Opens $file.",
    "/** {@inheritdoc} */": "",
    "/** @inheritDoc */": "",
}
GO = {
    "// Open opens it.": "Open opens it.",
    "// Open opens [File]\n// and it.\n//\n// More.": "Open opens File and it.",
    "// Open opens a[i] of it.": "Open opens a[i] of it.",
    "//go:noinline\n// Open opens it.": "Open opens it.",
    "//go:noinline": "",
    "// Open opens it.\n// nolint:a": "Open opens it.",
    "//nolint\n// Open opens it.": "Open opens it.",
    "// #nosec G101\n// Open opens it.": "Open opens it.",
    "// Open opens it.\n// @Summary Opens": "Open opens it.",
    "// +build a\n// Open opens it.": "Open opens it.",
    "// nolint is what it looks for.": "nolint is what it looks for.",
    "/*\nOpen opens it.\n*/": "Open opens it.",
    "// Open opens:\n//\topen(x)": "Open opens:",
    "// Deprecated: use Read.": "",
}
CASES = [
    pytest.param(words, comment, expected, id=f"{words.__name__}-{n}")
    for words, cases in (
        (docstring, PYTHON),
        (rdoc, RUBY),
        (javadoc, JAVA),
        (jsdoc, JAVASCRIPT),
        (phpdoc, PHP),
        (godoc, GO),
    )
    for n, (comment, expected) in enumerate(cases.items())
]


@pytest.mark.parametrize(("words", "comment", "expected"), CASES)
def test_first_paragraph_in_plain_words(words, comment, expected):
    assert words(comment) == expected


@pytest.mark.parametrize("words", [docstring, rdoc, javadoc, jsdoc, phpdoc, godoc])
@pytest.mark.parametrize(
    "unit", ["{", "[", "<a ", "`", "*", "{@code ", "_a", "# ", "=", "(", ":a:`"]
)
def test_hostile_comments_take_no_time(words, unit):
    assert isinstance(words(unit * (MAX_DOCUMENTATION // len(unit))), str)


SIGNS = [
    *(
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "f()",
        "f(a)[b] ",
        "<a ",
        "<!--",
        "&lt;",
        "&",
        "`",
        "``a`",
        "*",
    ),
    *(
        "_a",
        "# ",
        "=",
        ":a:`",
        ":a",
        ":func:`a <",
        "{@code ",
        "{@link a ",
        "{@link {",
        "{a ",
        "a}[",
    ),
    *(
        "{a}[",
        "\n",
        " ",
        "\n *",
        "\t",
        "=begin\n",
        "#--\n",
        "++",
        "call-seq:\n",
        "$a, ",
        "$a = ",
        "->",
    ),
    *(
        "a -> ",
        "a, ",
        "\\",
        "'",
        '"',
        "@a ",
        "@internal\n",
        "\n= a",
        "a:: ",
        "!",
        "rdoc-a",
        "1. ",
        "é",
    ),
]


# javadoc and phpdoc are made of what jsdoc is made of.
WORDS = [docstring, rdoc, jsdoc, godoc]
WORDS += [pytest.param(words, marks=pytest.mark.slow) for words in (javadoc, phpdoc)]


@pytest.mark.parametrize("words", WORDS)
def test_time_is_linear_in_the_comment(words):
    """Five times what is ever read, of every sign and many pairs of signs."""
    rng = random.Random(0)
    for unit in (*SIGNS, *("".join(rng.choices(SIGNS, k=2)) for _ in range(20))):
        for opening in ("", "/** a b ", "f"):
            text = opening + unit * (5 * MAX_DOCUMENTATION // len(unit))
            words(repr(text) if words is docstring else text)
