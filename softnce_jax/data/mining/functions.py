"""The documented functions of a source file, found by tree-sitter's queries, without recursion.

Whatever the source, its functions are found in time proportional to its size, but for what the
limits below allow. They count bytes and nodes, not seconds, so what is found is the same anywhere.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from dataclasses import dataclass

import tree_sitter

from softnce_jax.data.cleaning import (
    reason_to_drop_code,
    reason_to_drop_query,
    without_comments,
)
from softnce_jax.data.mining.documentation import MAX_DOCUMENTATION
from softnce_jax.data.mining.languages import RULES, Rules
from softnce_jax.data.mining.report import Counts
from softnce_jax.languages import grammar, is_docstring, parse

__all__ = ["Function", "functions"]

MIN_BODY_LINES = 3
MAX_LINES = 300  # longer functions are modules in disguise: those inside them are mined instead
MAX_BYTES = 100_000  # of a function
# Functions are parsed again, alone: bytes of them for each byte of a file. More are inside others.
MAX_AGAIN = 4
# Trees in which queries could take quadratic time: their files are left out.
MAX_BROKEN_NODES = 2_000
MAX_DEPTH = 20_000
TEST_NAME = re.compile(r"tests?(_.*|[A-Z].*)?")
# Comments that speak of no function: of a type, an event, a module.
STANDALONE = re.compile(
    rb"^[ \t]*+[/*]*+[ \t]*+@(typedef|callback|module|file|fileoverview|overview|event|external)\b",
    re.MULTILINE,
)
# The first comment of a file, apart from what follows, with one of these is about the file.
FILE_HEADER = re.compile(
    rb"copyright|licen[cs]e|\bSPDX\b|\bthis file\b"
    rb"|^[ \t]*+[/*]*+[ \t]*+@(package|author|version)\b",
    re.IGNORECASE | re.MULTILINE,
)

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
    tree = parse(source, language)
    root = tree.root_node if tree else None
    is_unusable = root is None or _is_too_deep(root) or (root.has_error and _is_too_broken(root))
    counts.broken += is_unusable or root.has_error
    if is_unusable:
        return []
    file = _File(source, root, language)
    kept: list[Function] = []
    end = 0  # of the last function that was kept
    for match in sorted(file.matches, key=_position):
        node = _whole(match)
        function = None
        if node.start_byte < end:
            reason = "inside a function that is kept"
        else:
            function, reason = _to_function(match, file)
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


def _to_function(match: Match, file: _File) -> tuple[Function, None] | tuple[None, str]:
    """The function of a match, or why it is dropped. The cheapest checks come first."""
    rules, source = file.rules, file.source
    if "constructor" in match:
        return None, "a constructor"
    node = match["function"]
    name = _name(match["name"], source)
    if rules.constructors.fullmatch(name):
        return None, "a constructor"
    if rules.standard.fullmatch(name):
        return None, "a standard method"
    if TEST_NAME.fullmatch(name):
        return None, "a test"
    if (text := file.documentation(match)) is None:
        return None, "no documentation"
    rows = node.end_point.row - node.start_point.row
    if rows >= MAX_LINES:
        return None, f"longer than {MAX_LINES} lines"
    if node.end_byte - node.start_byte > MAX_BYTES:
        return None, f"larger than {MAX_BYTES // 1000} kB"
    if node.has_error:
        return None, "broken syntax"
    if not (query := rules.markup(text)):
        return None, "documentation without prose"
    if rows + 1 < MIN_BODY_LINES:
        return None, f"a body of fewer than {MIN_BODY_LINES} lines"
    if reason := reason_to_drop_query(query):
        return None, reason
    file.again -= node.end_byte - node.start_byte
    if file.again < 0:
        return None, "inside too many functions"
    code = without_comments(_text(node, source), file.language)
    if code is None:
        return None, "broken syntax"
    if _body_lines(code, match, file) < MIN_BODY_LINES:
        return None, f"a body of fewer than {MIN_BODY_LINES} lines"
    if reason := reason_to_drop_code(code, file.language):
        return None, reason
    return Function(name, query, code, node.start_point.row + 1, node.end_point.row + 1), None


def _name(node: tree_sitter.Node, source: bytes) -> str:
    """What a function is called: of `a.b` b, of `"a b"` what it says, of `[Symbol.x]` all of it."""
    if node.type == "computed_property_name":
        inner = node.named_child(0)
        return _name(inner, source) if inner.type == "string" else _cut(node, source)
    if node.type == "subscript_expression":
        index = node.child_by_field_name("index")
        return _name(index, source) if index.type == "string" else f"[{_cut(index, source)}]"
    if node.type == "member_expression":
        node = node.child_by_field_name("property")
    text = _cut(node, source)
    return text[1:-1] if node.type == "string" else text.removeprefix("#")


def _cut(node: tree_sitter.Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


class _File:
    """A parsed file: its functions, its comments by where they end, and how much is parsed again.

    Attributes:
      matches: of functions.
      again: bytes of functions that may still be parsed again.
    """

    def __init__(self, source: bytes, root: tree_sitter.Node, language: str):
        self.source, self.language = source, language
        self.rules: Rules = RULES[language]
        self.again = MAX_AGAIN * len(source)
        self.matches: list[Match] = []
        self._outer: dict[int, tree_sitter.Node] = {}  # by the id of the inner node
        self._by_row: dict[int, tree_sitter.Node] = {}  # comments alone on their last line
        self._by_end: dict[int, tree_sitter.Node] = {}
        self._last_row = -2  # above which documentation was looked for last
        for _, labelled in tree_sitter.QueryCursor(_query(language)).matches(root):
            match = {label: nodes[0] for label, nodes in labelled.items()}
            if "comment" in match:
                self._add_comment(match["comment"])
            elif "outer" in match:
                self._outer[match["inner"].id] = match["outer"]
            else:
                self.matches.append(match)
        self._comments = sorted(self._by_end.values(), key=lambda comment: comment.start_byte)
        self._starts = [comment.start_byte for comment in self._comments]

    def _add_comment(self, comment: tree_sitter.Node) -> None:
        end = self._after_text(comment.end_byte, b" \t\n")
        self._by_end[end] = comment
        # Some grammars end a line comment at the start of the next line. A comment that follows
        # code on its line documents no function.
        if self._is_first_on_line(comment):
            self._by_row[comment.end_point.row - (comment.end_point.column == 0)] = comment

    def _after_text(self, at: int, blanks: bytes) -> int:
        """Where the text before a position ends, without the blanks that follow it."""
        while at > 0 and self.source[at - 1] in blanks:
            at -= 1
        return at

    def _is_first_on_line(self, node: tree_sitter.Node) -> bool:
        at = self._after_text(node.start_byte, b" \t")
        return at == 0 or self.source[at - 1] == ord("\n")

    def comment_lines(self, start: int, end: int) -> int:
        """How many lines fewer there are between two positions without the comments there."""
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        return sum(map(self._lines_alone, self._comments[first:last]))

    def _lines_alone(self, comment: tree_sitter.Node) -> int:
        is_last = self.source[comment.end_byte : comment.end_byte + 1] == b"\n"
        rows = comment.end_point.row - comment.start_point.row
        return rows + (is_last and self._is_first_on_line(comment))

    def documentation(self, match: Match) -> str | None:
        """The documentation of a function as it is written, None if it has none."""
        if self.rules.documentation == "docstring":
            return self._docstring(match["body"])
        if self.rules.documentation == "lines":
            text = self._lines_above(match["function"])
        else:
            text = self._block_within(match) if self.rules.within else None
            text = text or self._block_before(match["function"])
        return None if text is None else text.decode("utf-8", "replace")[:MAX_DOCUMENTATION]

    def _docstring(self, body: tree_sitter.Node) -> str | None:
        """The docstring of a Python function's body."""
        first = next((n for n in body.named_children if n.type != "comment"), None)
        if first is None or not is_docstring(first, self.source):
            return None
        return _cut(first, self.source)

    def _lines_above(self, function: tree_sitter.Node) -> bytes | None:
        """The comments on the lines right above a function, the first one on its line."""
        row, adjacent = function.start_point.row - 1, []
        if row == self._last_row:
            return None
        self._last_row = row
        while node := self._by_row.get(row):
            adjacent.append(self.source[node.start_byte : node.end_byte])
            row = node.start_point.row - 1
        return b"\n".join(reversed(adjacent)) if adjacent else None

    def _block_before(self, function: tree_sitter.Node) -> bytes | None:
        """The last `/** */` before a function, with white space and comments alone between."""
        while outer := self._outer.get(function.id):
            function = outer
        start = function.start_byte
        while comment := self._by_end.get(self._after_text(start, b" \t\n\f\r")):
            text = self.source[comment.start_byte : comment.end_byte]
            if text.startswith(b"/**") and text != b"/**/" and not STANDALONE.search(text):
                is_before = comment.end_point.row == function.start_point.row
                is_documentation = is_before or not self._follows_code(comment)
                return text if is_documentation and not self._is_header(comment, start) else None
            start = comment.start_byte
        return None

    def _block_within(self, match: Match) -> bytes | None:
        """The last `/** */` between the attributes of a function, or between them and its name."""
        children = match["function"].children
        before = []
        for child in children[: children.index(match["name"])]:
            before += child.children if child.type == "attribute_list" else [child]
        texts = [self.source[n.start_byte : n.end_byte] for n in before if n.type == "comment"]
        return next((text for text in reversed(texts) if text.startswith(b"/**")), None)

    def _follows_code(self, comment: tree_sitter.Node) -> bool:
        """Whether code stands before a comment on its line, which then speaks of that."""
        at = self._after_text(comment.start_byte, b" \t")
        opening = (b"\n", b"{", b"[", b"(", b"<?php", b"<?")
        is_open = self.source[max(0, at - 5) : at].endswith(opening)
        return at > 0 and at not in self._by_end and not is_open

    def _is_header(self, comment: tree_sitter.Node, start: int) -> bool:
        """Whether a comment is the file's own: its first, and apart from what starts there."""
        is_first = re.fullmatch(
            rb"\s*+(#![^\n]*+)?\s*+(<\?php)?\s*+", self.source[: min(comment.start_byte, 200)]
        )
        is_apart = self.source.count(b"\n", comment.end_byte, start) > 1
        end = min(comment.end_byte, comment.start_byte + MAX_DOCUMENTATION)
        text = self.source[comment.start_byte : end]
        return bool(is_first and comment.start_byte < 200 and is_apart and FILE_HEADER.search(text))


def _text(node: tree_sitter.Node, source: bytes) -> str:
    """A node's text, its lines indented by as much less as the first one is."""
    line = node.start_byte - node.start_point.column
    indent = re.compile(rb"[^\S\n]*").match(source, line, node.start_byte)[0].decode()
    first, *rest = _cut(node, source).split("\n")
    return "\n".join([first, *(text.removeprefix(indent) for text in rest)])


def _body_lines(code: str, match: Match, file: _File) -> int:
    """The lines of a function's body that hold code, without braces or `end` around it."""
    function, body = match["function"], match["body"]
    lines = [line for line in code.split("\n") if line.strip()]
    header = file.source[function.start_byte : body.start_byte].split(b"\n")[:-1]
    gone = file.comment_lines(function.start_byte, body.start_byte)  # which have left the code
    opening = file.source[body.start_byte : body.start_byte + 1] == b"{"
    closing = bool(re.match(r"\s*(\}|end\b)", lines[-1])) if lines else 0
    return len(lines) - (sum(bool(line.strip()) for line in header) - gone) - opening - closing


@functools.cache
def _query(language: str) -> tree_sitter.Query:
    """The query for functions, for what is around them, and for comments."""
    rules = RULES[language]
    text = f"{rules.functions} {rules.around} {rules.comments} @comment"
    return tree_sitter.Query(grammar(language), text)
