"""The programming languages, once each: a new one begins with a row here.

What a part of the package knows of a language beyond this row stands with that part: how its
functions are found and documented in data/mining/languages.py, how values flow through them in
dataflow/languages/.
"""

from __future__ import annotations

import functools
import importlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tree_sitter

__all__ = ["LANGUAGES", "Language", "grammar", "is_docstring", "parse", "parser"]

# The work of a parse, in what is the same on every machine. Of 12,000 real files none makes the
# lexer read a hundredth of the least budget, or takes 2 steps for a byte beyond 100,000. Nested
# literals of Ruby are read again and again: a megabyte of `%w[` for hours.
CHUNK = 128  # bytes that the parser is given at a time; after a step back they count again
LEAST_READ, MOST_READ = 100_000_000, 100  # bytes, and bytes for a byte of the source
LEAST_STEPS, MOST_STEPS = 2_000_000, 20  # steps, and steps for a byte of the source
# When Go's parser ends it takes memory with the square of its steps, 3 GB for 60 kB of `%w[]`, and
# recurses as deep as its stack is, which ends the process at two million steps.
LEAST_STEPS_OF_GO, MOST_STEPS_OF_GO, ALL_STEPS_OF_GO = 100_000, 2, 1_000_000
STEPS_A_CALL = 100  # between two calls of tree-sitter's progress callback
HEREDOC_PASSES = 3
EXPRESSION_PREFIX = re.compile(rb"[rR]?[bBfFtT]")  # of strings of Python that are no text


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


def parse(
    source: bytes, language: str, *, own: tree_sitter.Parser | None = None
) -> tree_sitter.Tree | None:
    r"""Parses a source, None if that takes more work than any source that people write.

    Text of nodes is to be cut out of `source`: `node.text` takes time of its own position, and may
    differ, for the last line of a heredoc, which PHP's grammar takes for a comment if it begins
    like one, is parsed again with another beginning. A thread beside others needs its `own` parser.

    Example:
      >>> parse(b"def f = 1", "ruby").root_node.type
      'program'
      >>> print(parse(b"%w[]" * 20_000, "go"))
      None
    """
    own = own or parser(language)
    tree = _parse_within_budget(source, language, own)
    if language == "php" and b"<<<" in source:
        for _ in range(HEREDOC_PASSES):
            if tree is None or not (comments := _comments_in_heredocs(tree)):
                break
            masked = bytearray(source)
            for at in comments:
                masked[at] = ord("_")
            source = bytes(masked)
            tree = _parse_within_budget(source, language, own)
    return tree


def _parse_within_budget(
    source: bytes, language: str, parser: tree_sitter.Parser
) -> tree_sitter.Tree | None:
    """Parses a source, None if the budget is spent first."""
    to_read = LEAST_READ + MOST_READ * len(source)
    steps = LEAST_STEPS + MOST_STEPS * len(source)
    if language == "go":
        steps = min(LEAST_STEPS_OF_GO + MOST_STEPS_OF_GO * len(source), ALL_STEPS_OF_GO)

    def read(at: int, _: object) -> bytes:
        nonlocal to_read
        chunk = source[at : at + CHUNK] if to_read > 0 else b""
        to_read -= len(chunk)
        return chunk

    def is_spent(*_: object) -> bool:
        nonlocal steps
        steps -= STEPS_A_CALL
        return steps < 0 or to_read <= 0

    try:
        tree = parser.parse(read, progress_callback=is_spent)
    except ValueError:  # cancelled; the parser would go on where it stopped
        parser.reset()
        return None
    return tree if to_read > 0 else None  # it may have ended where nothing more was read


def _comments_in_heredocs(tree: tree_sitter.Tree) -> list[int]:
    """Where in a source of PHP the lines of heredocs begin that were taken for comments."""
    import tree_sitter

    matches = tree_sitter.QueryCursor(_heredoc_query()).captures(tree.root_node)
    return [node.start_byte for node in matches.get("text", [])]


@functools.cache
def _heredoc_query() -> tree_sitter.Query:
    import tree_sitter

    return tree_sitter.Query(grammar("php"), "(heredoc (comment) @text)")


def is_docstring(node: tree_sitter.Node, source: bytes) -> bool:
    r"""Whether a node of Python's grammar is a statement that is text alone.

    Text is a string, or several side by side, either in parentheses too; f-strings and bytes are
    expressions. Like `ast.get_docstring`, but wherever the statement stands.

    Example:
      >>> source = b"('a' 'b'); f'c'; g()"
      >>> statements = parse(source, "python").root_node.named_children
      >>> [is_docstring(statement, source) for statement in statements]
      [True, False, False]
    """
    if node.type != "expression_statement":
        return False
    inner = _without_extras(node)
    while len(inner) == 1 and inner[0].type == "parenthesized_expression":
        inner = _without_extras(inner[0])[1:-1]
    if len(inner) != 1:
        return False
    strings = _without_extras(inner[0]) if inner[0].type == "concatenated_string" else inner
    return all(
        string.type == "string" and not EXPRESSION_PREFIX.match(source, string.start_byte)
        for string in strings
    )


def _without_extras(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """The children without comments and continued lines."""
    return [child for child in node.children if not child.is_extra]
