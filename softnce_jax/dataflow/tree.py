"""From source text to tokens and a light tree of them, in one pass with a cursor.

A node's program (see `rules`) is made when the node closes, so nothing here recurses: source of
any depth is read. Positions are bytes, so text of any language is cut where it should be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tree_sitter

    from softnce_jax.dataflow.rules import Program, Rule


NO_FIELDS: dict[str, Node] = {}


class Tokens:
    """The tokens of a source, and its names: tokens that are not spelled like their type.

    Attributes:
      texts: of every token.
      positions, names, defines: of every name, its place in `texts`, its text, and whether its
        first use defines it.
    """

    __slots__ = ("defines", "names", "positions", "texts")

    def __init__(self):
        self.texts: list[str] = []
        self.positions: list[int] = []
        self.names: list[str] = []
        self.defines: list[bool] = []

    def drop_last(self) -> None:
        """Takes the last token back, which is a name."""
        for column in (self.texts, self.positions, self.names, self.defines):
            column.pop()


class Node:
    """A node of the tree; its names are those of `Tokens` from `start` to `end`.

    Attributes:
      kind: what the grammar calls it, and its rule.
      start, end: a range of names.
      levels: how many levels of children are kept whole, for a rule to look at; at level 0 only
        children with a program are.
      children: empty for a token.
      fields: the children that the grammar names; only where the node has a rule.
      program: what the walker does here; None where it only reads the names.
    """

    __slots__ = ("children", "end", "fields", "kind", "levels", "program", "start")

    def __init__(self, kind: Kind, start: int, end: int, levels: int = 0):
        self.kind, self.start, self.end, self.levels = kind, start, end, levels
        self.children: list[Node] = []
        self.fields: dict[str, Node] = {} if kind.levels else NO_FIELDS
        self.program: Program | None = None


@dataclass(eq=False, slots=True)
class Kind:
    """A node type of a grammar.

    Attributes:
      name: as the grammar has it.
      rule: what makes its program; None for "the children in order".
      is_statement: left out where it holds a bare string, as docstrings do.
      is_space: a comment or a line's continuation, left out.
      is_token: one token, whatever it holds.
      defines: its first use defines the name.
      is_else: one of the forms of else.
      levels: of children that its rule looks at.
      keyword: the node of every token that is spelled like its type.
    """

    name: str
    rule: Rule | None
    is_statement: bool
    is_space: bool = field(init=False)
    is_token: bool = field(init=False)
    defines: bool = field(init=False)
    is_else: bool = field(init=False)
    levels: int = field(init=False)
    keyword: Node = field(init=False)

    def __post_init__(self):
        self.levels = self.rule.levels if self.rule else int(self.is_statement)
        self.is_space = self.name.endswith(("comment", "line_continuation"))
        self.is_token = self.name == "string"
        self.defines = self.name == "identifier"
        self.is_else = "else" in self.name or self.name == "elsif"
        self.keyword = Node(self, 0, 0)


def read(tree: tree_sitter.Tree, source: bytes, kinds: dict[int, Kind]) -> tuple[Tokens, Node]:
    """The tokens of a parsed source and the root of its light tree.

    Args:
      tree: what the parser made of it.
      source: what was parsed, UTF-8.
      kinds: by the grammar's ids.

    Returns:
      Tokens, and the root with its program.
    """
    cursor, tokens = tree.walk(), Tokens()
    plain = source.decode() if source.isascii() else None  # whose positions are those of bytes
    enter, follow, leave = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
    texts, names, positions, defines = tokens.texts, tokens.names, tokens.positions, tokens.defines
    parent = Node(kinds[cursor.node.kind_id], 0, 0)
    opened: list[Node] = []
    more = enter()
    while True:
        looked_at, labelled = parent.levels, parent.kind.levels
        while more:
            found = cursor.node
            kind = kinds[found.kind_id]
            if kind.is_space:
                more = follow()
                continue
            if not kind.is_token and enter():
                node = Node(kind, len(names), 0, kind.levels or max(0, looked_at - 1))
                opened.append(parent)
                parent = node
                looked_at, labelled = parent.levels, kind.levels
                continue
            start, end = found.start_byte, found.end_byte
            text = plain[start:end] if plain is not None else decode(source[start:end])
            if "\n" in text:
                text = one_line(text)
            is_name = text != kind.name
            if is_name:
                positions.append(len(texts))
                names.append(text)
                defines.append(kind.defines)
            texts.append(text)
            if looked_at:
                node = Node(kind, len(names) - 1, len(names)) if is_name else kind.keyword
                attach(parent, node, cursor.field_name if labelled else None)
            more = follow()
        whole = close(parent, tokens)
        if not opened:
            return tokens, parent
        node, parent = parent, opened.pop()
        leave()
        if whole and (parent.levels or node.program is not None):
            attach(parent, node, cursor.field_name if parent.kind.levels else None)
        more = follow()


def attach(parent: Node, node: Node, label: str | None) -> None:
    """Makes a node the last child of another, under a field's name where it has one."""
    parent.children.append(node)
    if label and label not in parent.fields:
        parent.fields[label] = node


def close(node: Node, tokens: Tokens) -> bool:
    """Settles a node whose children are all read: its end and its program; False to drop it."""
    node.end = len(tokens.names)
    kind = node.kind
    if kind.is_statement and node.end == node.start + 1 and is_bare_string(node):
        tokens.drop_last()
        return False
    if kind.rule is not None:
        node.program = kind.rule.program(node)
    elif node.children:
        node.program = between(node)
    return True


def is_bare_string(node: Node) -> bool:
    """Whether a statement is one string and nothing else: a docstring, nearly always."""
    return len(node.children) == 1 and node.children[0].kind.is_token


def between(node: Node) -> Program | None:
    """The programs of the children and reads of the names around them; None without programs."""
    program: Program = []
    at = node.start
    for child in node.children:
        if child.program is not None:
            if at < child.start:
                program.append((at, child.start))
            program.append(child.program)
            at = child.end
    if program and at < node.end:
        program.append((at, node.end))
    return program or None


def sequence(nodes: list[Node]) -> Program:
    """The programs of nodes one after the other; those without one are read."""
    program: Program = []
    for node in nodes:
        if node.program is not None:
            program.append(node.program)
        elif node.start < node.end:
            program.append((node.start, node.end))
    return program


def decode(coded: bytes) -> str:
    """The text of a token; a character that the grammar cut in two is replaced."""
    return coded.decode("utf-8", "replace")


def one_line(text: str) -> str:
    """The lines of a token joined by nothing, blank ones inside left out, as published."""
    first, *inner, last = text.split("\n")
    return "".join([first, *(line for line in inner if line.strip()), last])
