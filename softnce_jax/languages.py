"""The programming languages, once each: a new one begins with a row here.

What a part of the package knows of a language beyond this row stands with that part: how its
functions are found and documented in data/mining/languages.py, how values flow through them in
dataflow/languages/.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tree_sitter

__all__ = ["LANGUAGES", "Language", "grammar", "parser"]


class Language(NamedTuple):
    """One language.

    Attributes:
      endings: of its source files; the first is that of the embedded sample.
      grammar: dotted name of the function that loads its tree-sitter grammar.
      wrappers: texts before and after a function with which its grammar parses it alone; some
        grammars want a class around a method, or parentheses. The first that fits is taken.
    """

    endings: tuple[str, ...]
    grammar: str
    wrappers: tuple[tuple[str, str], ...] = (("", ""),)


LANGUAGES = {
    "ruby": Language((".rb", ".rake"), "tree_sitter_ruby:language"),
    "javascript": Language(
        (".js", ".mjs", ".cjs", ".jsx"),
        "tree_sitter_javascript:language",
        (("", ""), ("class C {\n", "\n}"), ("(", "\n)"), ("({", "\n})")),
    ),
    "go": Language((".go",), "tree_sitter_go:language"),
    "python": Language((".py",), "tree_sitter_python:language"),
    "java": Language((".java",), "tree_sitter_java:language", (("", ""), ("class C {\n", "\n}"))),
    "php": Language(
        (".php", ".inc"),
        "tree_sitter_php:language_php",
        (("<?php ", "\n"), ("<?php class C {\n", "\n}")),
    ),
}


@functools.cache
def grammar(language: str) -> tree_sitter.Language:
    """The tree-sitter grammar of a language, a key of LANGUAGES."""
    import tree_sitter  # here, so that the names of the languages need no grammars

    module, _, function = LANGUAGES[language].grammar.partition(":")
    return tree_sitter.Language(getattr(importlib.import_module(module), function)())


@functools.cache
def parser(language: str) -> tree_sitter.Parser:
    """The parser of a language in this process; it must not be shared between threads.

    Example:
      >>> parser("ruby").parse(b"def f = 1").root_node.type
      'program'
    """
    import tree_sitter

    return tree_sitter.Parser(grammar(language))
