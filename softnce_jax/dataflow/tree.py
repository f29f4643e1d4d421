"""From source text to tokens and a light tree of them, in one pass with a cursor.

A node's program (see `nodes`) is made when the node is complete, so nothing here recurses, however
deep the source is. The parser counts bytes, so text is cut by bytes, whatever its script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from softnce_jax.dataflow.nodes import Kind, Node, Tokens, between
from softnce_jax.languages import is_docstring

if TYPE_CHECKING:
    import tree_sitter

TEXTS = {"string", "concatenated_string", "parenthesized_expression"}  # of Python


def read(tree: tree_sitter.Tree, source: bytes, kinds: dict[int, Kind]) -> tuple[Tokens, Node]:
    """The tokens of a parsed source and the root of its light tree.

    Args:
      tree: the parser's tree.
      source: the UTF-8 that was parsed.
      kinds: the node types by the grammar's ids.

    Returns:
      Tokens, and the root with its program.
    """
    cursor, tokens = tree.walk(), Tokens()
    plain = source.decode() if source.isascii() else None  # ASCII: a byte is a character
    # Bound once: this loop runs for every token of a corpus.
    enter, follow, leave = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
    texts, names, positions, defines = tokens.texts, tokens.names, tokens.positions, tokens.defines
    parent = Node(kinds[cursor.node.kind_id], 0, 0)
    opened: list[Node] = []
    more = enter()
    while True:
        looked_at, labelled = parent.levels, parent.kind.levels
        while more:
            current = cursor.node
            kind = kinds[current.kind_id]
            if kind.is_space:
                more = follow()
                continue
            if not kind.is_token and enter():
                node = Node(kind, len(names), 0, kind.levels or max(0, looked_at - 1))
                if kind.is_statement:
                    node.position = len(texts)
                opened.append(parent)
                parent = node
                looked_at, labelled = parent.levels, kind.levels
                continue
            start, end = current.start_byte, current.end_byte
            text = plain[start:end] if plain is not None else _decode(source[start:end])
            if "\n" in text:
                text = _one_line(text)
            is_name = kind.is_name and text != kind.name
            if is_name:
                positions.append(len(texts))
                names.append(text)
                defines.append(kind.defines)
            texts.append(text)
            if looked_at:
                node = Node(kind, len(names) - 1, len(names)) if is_name else kind.keyword
                _attach(parent, node, cursor.field_name if labelled else None)
            more = follow()
        if not opened:
            _close(parent, tokens)
            return tokens, parent
        node, parent = parent, opened.pop()
        leave()
        if node.kind.is_statement and _may_be_text(node) and is_docstring(cursor.node, source):
            tokens.drop_from(node.position)
            more = follow()
            continue
        _close(node, tokens)
        if parent.levels or node.program is not None:
            _attach(parent, node, cursor.field_name if parent.kind.levels else None)
        more = follow()


def _attach(parent: Node, node: Node, label: str | None) -> None:
    """Makes a node the last child of another, under its field's name if the grammar gives one."""
    parent.children.append(node)
    if label and label not in parent.fields:
        parent.fields[label] = node


def _close(node: Node, tokens: Tokens) -> None:
    """Sets the end and the program of a node whose children are read."""
    node.end = len(tokens.names)
    if node.kind.rule is not None:
        node.program = node.kind.rule.program(node)
    elif node.children:
        node.program = between(node)


def _may_be_text(node: Node) -> bool:
    """Whether a statement's one part may be text, which is nearly always a docstring."""
    return len(node.children) == 1 and node.children[0].kind.name in TEXTS


def _decode(coded: bytes) -> str:
    """The text of a token; a character that the grammar cut in two is replaced."""
    return coded.decode("utf-8", "replace")


def _one_line(text: str) -> str:
    """The lines of a token joined by nothing, without blank inner lines, as published."""
    first, *inner, last = text.split("\n")
    return "".join([first, *(line for line in inner if line.strip()), last])
