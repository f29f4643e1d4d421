"""Documentation to plain words: what goes, and its neighbour that stays."""

from __future__ import annotations

import pytest

from softnce_jax.data.mining.documentation import docstring, godoc, javadoc, jsdoc, phpdoc, rdoc
from softnce_jax.data.mining.functions import MAX_DOCUMENTATION

PYTHON = {
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
    "# @!visibility private\n# Sorts it.": "Sorts it.",
    "# -----\n# Sorts it.\n# -----": "Sorts it.",
    "# x = sort(list)": "",
    "# * Sorts it": "",
}
JAVA = {
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
    "/**\n * @description Adds `a` to **b**.\n * @param a\n */": "Adds a to b.",
    "/** Sees [the manual](http://a.org) and {@link https://b.org|that}. */": (
        "Sees the manual and that."
    ),
    "/**\n * Adds all.\n * ```js\n * add(1)\n * ```\n */": "Adds all.",
    "/** @private */": "",
}
PHP = {
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
