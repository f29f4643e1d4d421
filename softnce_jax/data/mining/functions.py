"""The documented functions of a source file, found by tree-sitter's queries, without recursion."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import tree_sitter

from softnce_jax.data.cleaning import reason_to_drop, without_comments
from softnce_jax.data.mining.documentation import MAX_DOCUMENTATION
from softnce_jax.data.mining.languages import RULES
from softnce_jax.data.mining.report import Counts
from softnce_jax.languages import grammar, parser

__all__ = ["Function", "functions"]

MIN_BODY_LINES = 3
MAX_LINES = 300  # longer functions are modules in disguise: those inside them are mined instead
# Trees in which queries could take quadratic time: their files are left out.
MAX_BROKEN_NODES = 2_000
MAX_DEPTH = 20_000
TEST_NAME = re.compile(r"tests?(_.*|[A-Z].*)?")

Match = dict[str, tree_sitter.Node]  # of a query in languages.RULES: nodes by their labels


@dataclass(frozen=True, slots=True)
class Function:
    """A function and the text of its documentation; lines count from 1."""

    name: str
    query: str
    code: str
    first: int
    last: int


def functions(source: bytes, language: str, counts: Counts, name: str) -> list[Function]:
    """The functions of a file that make pairs; the others are counted by reason.

    Functions inside a function that is kept are part of it.

    Args:
      source: UTF-8, lines end in LF.
      language: a key of LANGUAGES.
      counts: takes every function, kept or dropped.
      name: of the file, for the report.

    Returns:
      The functions in their order.
    """
    root = parser(language).parse(source).root_node
    is_unusable = _is_too_deep(root) or (root.has_error and _is_too_broken(root))
    counts.broken += is_unusable or root.has_error
    if is_unusable:
        return []
    matches = tree_sitter.QueryCursor(_query(language)).matches(root)
    matches = [{label: nodes[0] for label, nodes in match.items()} for _, match in matches]
    comments = _Comments([match["comment"] for match in matches if "comment" in match], source)
    kept: list[Function] = []
    end = 0  # of the last function that was kept
    for match in sorted((m for m in matches if "comment" not in m), key=_position):
        node = _whole(match)
        function = None
        if node.start_byte < end:
            reason = "inside a function that is kept"
        else:
            function, reason = _to_function(match, source, comments, language)
        if function is None:
            counts.drop("functions", reason, f"{name}#L{node.start_point.row + 1}")
        else:
            counts.keep("functions")
            kept.append(function)
            end = node.end_byte
    return kept


def _whole(match: Match) -> tree_sitter.Node:
    """The node of the whole function or constructor."""
    return match["constructor"] if "constructor" in match else match["function"]


def _position(match: Match) -> tuple[int, int]:
    """Orders matches by their start; of two that start together, the longer one is first."""
    node = _whole(match)
    return node.start_byte, -node.end_byte


def _is_too_deep(root: tree_sitter.Node) -> bool:
    """Whether a tree is nested deeper than MAX_DEPTH."""
    if root.end_byte < MAX_DEPTH:  # a level takes a byte at least
        return False
    cursor, depth = root.walk(), 0  # counted here: cursor.depth takes time of its own depth
    while depth <= MAX_DEPTH:
        if cursor.goto_first_child():
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return False
            depth -= 1
    return True


def _is_too_broken(root: tree_sitter.Node) -> bool:
    """Whether more than MAX_BROKEN_NODES nodes of a tree hold errors."""
    nodes, broken = [root], 0
    while nodes:
        node = nodes.pop()
        broken += node.child_count if node.type == "ERROR" else 1
        if broken > MAX_BROKEN_NODES:
            return True
        nodes.extend(child for child in node.children if child.has_error)
    return False


def _to_function(
    match: Match, source: bytes, comments: _Comments, language: str
) -> tuple[Function, None] | tuple[None, str]:
    """The function of a match, or why it is dropped. The cheapest checks come first."""
    rules = RULES[language]
    if "constructor" in match:
        return None, "a constructor"
    node, body = match["function"], match["body"]
    name = re.split(r"[.\s]", match["name"].text.decode("utf-8", "replace"))[-1].strip("\"'#")
    if rules.constructors.fullmatch(name):
        return None, "a constructor"
    if rules.standard.fullmatch(name):
        return None, "a standard method"
    if TEST_NAME.fullmatch(name):
        return None, "a test"
    is_inside = rules.documentation == "docstring"
    text = comments.inside(body) if is_inside else comments.above(node, rules.documentation)
    if text is None:
        return None, "no documentation"
    if node.end_point.row - node.start_point.row >= MAX_LINES:
        return None, f"longer than {MAX_LINES} lines"
    if node.has_error:
        return None, "broken syntax"
    if not (query := rules.markup(text[:MAX_DOCUMENTATION])):
        return None, "documentation without prose"
    code = without_comments(_text(node, source), language)
    if code is None:
        return None, "broken syntax"
    if _body_lines(code, node, body, source) < MIN_BODY_LINES:
        return None, f"a body of fewer than {MIN_BODY_LINES} lines"
    if reason := reason_to_drop(query, code, language):
        return None, reason
    return Function(name, query, code, node.start_point.row + 1, node.end_point.row + 1), None


class _Comments:
    """The comments of a file by their last line, and the docstrings of bodies."""

    def __init__(self, nodes: list[tree_sitter.Node], source: bytes):
        # Some grammars end a line comment at the start of the next line. A comment that follows
        # code on its line documents no function.
        self._by_last_row = {
            node.end_point.row - (node.end_point.column == 0): node
            for node in nodes
            if not source[_line_start(node) : node.start_byte].strip()
        }

    def above(self, function: tree_sitter.Node, where: str) -> str | None:
        """The documentation that ends on the line above a function, as it is written.

        Args:
          function: its node.
          where: "block" or "lines", see languages.Rules.
        """
        row, adjacent = function.start_point.row - 1, []
        while node := self._by_last_row.get(row):
            adjacent.append(node.text.decode())
            if where == "block" and adjacent[-1].startswith("/**"):
                return adjacent[-1]
            row = node.start_point.row - 1
        if where == "block" or not adjacent:
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


def _line_start(node: tree_sitter.Node) -> int:
    """The byte at which the line of a node's start begins."""
    return node.start_byte - node.start_point.column


def _text(node: tree_sitter.Node, source: bytes) -> str:
    """A node's text, its lines indented by as much less as the first one is."""
    line = source[_line_start(node) : node.start_byte].decode()
    indent = line[: len(line) - len(line.lstrip())]
    first, *rest = node.text.decode().split("\n")
    return "\n".join([first, *(text.removeprefix(indent) for text in rest)])


def _body_lines(
    code: str, function: tree_sitter.Node, body: tree_sitter.Node, source: bytes
) -> int:
    """The lines of a function's body that hold code, without braces or `end` around it."""
    lines = [line for line in code.split("\n") if line.strip()]
    opening = source[body.start_byte : body.start_byte + 1] == b"{"
    header = body.start_point.row - function.start_point.row + opening
    closing = bool(re.match(r"\s*(\}|end\b)", lines[-1])) if lines else 0
    return len(lines) - header - closing


@functools.cache
def _query(language: str) -> tree_sitter.Query:
    """The query for functions, and for the comments that may document them."""
    rules = RULES[language]
    text = f"{rules.functions} {rules.comments} @comment"
    return tree_sitter.Query(grammar(language), text)
