"""The documented functions of a source file, found by tree-sitter's queries, without recursion."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import tree_sitter

from softnce_jax.data.cleaning import parser, unclean, without_comments
from softnce_jax.data.mining.languages import LANGUAGES, Language
from softnce_jax.data.mining.report import Counts
from softnce_jax.dataflow.extract import GRAMMARS

SHORTEST = 3  # lines of a body
LONGEST_TEXT = 5_000  # characters of documentation that are looked at
LONGEST = 300  # lines of a function; in longer ones, modules in disguise, the inner ones are mined
TORN = 2_000  # nodes that are broken, from which a file is not looked at further
DEEP = 20_000  # levels of a tree, from which a file is not looked at further
TEST_NAME = re.compile(r"tests?(_.*|[A-Z].*)?")


@dataclass(frozen=True, slots=True)
class Function:
    """A function and what its documentation says; lines count from 1."""

    name: str
    query: str
    code: str
    first: int
    last: int


def functions(source: bytes, language: str, counts: Counts, name: str) -> list[Function]:
    """The functions of a file that make pairs; the others are counted by reason.

    A function inside one that is kept is part of it.

    Args:
      source: UTF-8, lines ended by LF.
      language: a key of LANGUAGES.
      counts: takes every function, kept or dropped.
      name: of the file, for the report.

    Returns:
      The functions in their order.
    """
    root = parser(language).parse(source).root_node
    unusable = is_deep(root) or (root.has_error and is_torn(root))
    counts.broken += unusable or root.has_error
    if unusable:
        return []
    matches = tree_sitter.QueryCursor(query(language)).matches(root)
    found = [{label: nodes[0] for label, nodes in match.items()} for _, match in matches]
    comments = Comments([each["comment"] for each in found if "comment" in each], source)
    found = [each for each in found if "comment" not in each]
    kept: list[Function] = []
    end = 0
    for nodes in sorted(found, key=position):
        whole = next(iter(nodes.values())) if "constructor" in nodes else nodes["function"]
        function = None
        if whole.start_byte < end:
            reason = "inside a function that is kept"
        else:
            function, reason = judge(nodes, source, comments, language)
        if function is None:
            counts.drop("functions", reason, f"{name}#L{whole.start_point.row + 1}")
        else:
            counts.keep("functions")
            kept.append(function)
            end = whole.end_byte
    return kept


def is_deep(root: tree_sitter.Node) -> bool:
    """Whether a tree is nested deeper than any code is; there queries may take quadratic time."""
    if root.end_byte < DEEP:  # a level takes a byte at least
        return False
    cursor = root.walk()
    while cursor.depth <= DEEP:
        if not cursor.goto_first_child():
            while not cursor.goto_next_sibling():
                if not cursor.goto_parent():
                    return False
    return True


def is_torn(root: tree_sitter.Node) -> bool:
    """Whether large parts of a tree are broken; there queries may take quadratic time."""
    nodes, broken = [root], 0
    while nodes:
        node = nodes.pop()
        broken += node.child_count if node.type == "ERROR" else 1
        if broken > TORN:
            return True
        nodes.extend(child for child in node.children if child.has_error)
    return False


def position(nodes: dict[str, tree_sitter.Node]) -> tuple[int, int]:
    """Where a match starts; of two that start together the longer one is first."""
    whole = nodes.get("function") or nodes["constructor"]
    return whole.start_byte, -whole.end_byte


def judge(
    nodes: dict[str, tree_sitter.Node], source: bytes, comments: Comments, language: str
) -> tuple[Function, None] | tuple[None, str]:
    """The function that a match makes, or why it makes none; the cheapest reasons first."""
    rules = LANGUAGES[language]
    if "constructor" in nodes:
        return None, "a constructor"
    whole, body = nodes["function"], nodes["body"]
    name = re.split(r"[.\s]", nodes["name"].text.decode("utf-8", "replace"))[-1].strip("\"'#")
    if rules.constructors.fullmatch(name):
        return None, "a constructor"
    if rules.standard.fullmatch(name):
        return None, "a standard method"
    if TEST_NAME.fullmatch(name):
        return None, "a test"
    text = comments.inside(body) if rules.comment == "docstring" else comments.above(whole, rules)
    if text is None:
        return None, "no documentation"
    if whole.end_point.row - whole.start_point.row >= LONGEST:
        return None, f"longer than {LONGEST} lines"
    if whole.has_error:
        return None, "broken syntax"
    if not (prose := rules.markup(text[:LONGEST_TEXT])):
        return None, "documentation without prose"
    code = text_of(whole, source)
    if (bare := without_comments(code, language)) is None:
        return None, "broken syntax"
    if body_lines(bare, whole, body, source) < SHORTEST:
        return None, f"a body of fewer than {SHORTEST} lines"
    if reason := unclean(prose, bare, language):
        return None, reason
    return Function(name, prose, bare, whole.start_point.row + 1, whole.end_point.row + 1), None


class Comments:
    """The comments of a file by the line they end on, and the docstrings of bodies."""

    def __init__(self, nodes: list[tree_sitter.Node], source: bytes):
        self._source = source
        self._ending = {
            node.end_point.row - (node.end_point.column == 0): node
            for node in nodes
            if not source[line_start(node) : node.start_byte].strip()
        }

    def above(self, function: tree_sitter.Node, language: Language) -> str | None:
        """The documentation that ends on the line before a function's, as it is written."""
        row, adjacent = function.start_point.row - 1, []
        while node := self._ending.get(row):
            adjacent.append(node.text.decode())
            if language.comment == "block" and adjacent[-1].startswith("/**"):
                return adjacent[-1]
            row = node.start_point.row - 1
        if language.comment == "block" or not adjacent:
            return None
        return "\n".join(reversed(adjacent))

    @staticmethod
    def inside(body: tree_sitter.Node) -> str | None:
        """The docstring of a Python function's body, as it is written."""
        first = next((n for n in body.named_children if n.type != "comment"), None)
        if first is None or first.type != "expression_statement" or first.child_count != 1:
            return None
        string = first.child(0)
        return string.text.decode() if string.type == "string" else None


def line_start(node: tree_sitter.Node) -> int:
    """Where the line begins on which a node does."""
    return node.start_byte - node.start_point.column


def text_of(node: tree_sitter.Node, source: bytes) -> str:
    """A node's text; the indentation of its first line leaves the others, too."""
    line = source[line_start(node) : node.start_byte].decode()
    indent = line[: len(line) - len(line.lstrip())]
    first, *rest = node.text.decode().split("\n")
    return "\n".join([first, *(text.removeprefix(indent) for text in rest)])


def body_lines(bare: str, whole: tree_sitter.Node, body: tree_sitter.Node, source: bytes) -> int:
    """Lines of a function's body that hold code, without braces or `end` around it."""
    lines = [line for line in bare.split("\n") if line.strip()]
    opening = source[body.start_byte : body.start_byte + 1] == b"{"
    header = body.start_point.row - whole.start_point.row + opening
    closing = bool(re.match(r"\s*(\}|end\b)", lines[-1])) if lines else 0
    return len(lines) - header - closing


@functools.cache
def grammar(language: str) -> tree_sitter.Language:
    """The grammar of a language."""
    return tree_sitter.Language(GRAMMARS[language][0]())


@functools.cache
def query(language: str) -> tree_sitter.Query:
    """The query for functions, and comments unless documentation is elsewhere."""
    kinds = {"java": "[(line_comment) (block_comment)]"}
    comments = f"{kinds.get(language, '(comment)')} @comment"
    text = LANGUAGES[language].functions
    return tree_sitter.Query(grammar(language), text + comments * bool(LANGUAGES[language].comment))
