"""Shared data of this folder: tokens, nodes of the light tree, and the programs of nodes.

A program says what a piece of source does to the state of its names: names are read, names are
written from others, branches unite, loops run twice. `rules` makes programs from nodes, `tree`
asks the rule when a node is complete, and `walk` runs the program of the whole function.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

COMES_FROM, COMPUTED_FROM = "comesFrom", "computedFrom"  # the published relations

# Names to read, as a range (start, end); an instruction; or programs one after the other.
Program = list["tuple[int, int] | Write | Branch | Loop | Stop | Program"]


@dataclass(eq=False, slots=True)
class Write:
    """Defines the names of `targets` from those of `sources`, or from nothing where it is None.

    With `each`, there is one edge for each target and source, else one for each target.
    """

    targets: Node
    sources: Node | None
    relation: str
    each: bool


@dataclass(eq=False, slots=True)
class Branch:
    """Runs each program from the present state and unites their ends, with it too if `keep`."""

    programs: list[Program]
    keep: bool


@dataclass(eq=False, slots=True)
class Loop:
    """Runs the node's first round, then the second, which knows what the first one defined."""

    node: Node
    first: Program
    again: Program


@dataclass(eq=False, slots=True)
class Stop:
    """Ends the walk for a reason."""

    reason: str


class Rule(Protocol):
    """What nodes of one type do.

    Attributes:
      levels: how deep it looks: 1 for children, 2 for their children too.
    """

    levels: int

    def program(self, node: Node) -> Program:
        """The program of a node of this type."""


@dataclass(eq=False, slots=True)
class Kind:
    """A node type of a grammar.

    Attributes:
      name: as in the grammar.
      rule: makes its program; None to run the children in order.
      is_statement: whether it is dropped where it holds text alone, as docstrings do.
      is_space: a comment or a line's continuation, dropped.
      is_token: one token, whatever is inside.
      is_name: whether its tokens are names: the language's identifiers and literals.
      defines: whether the first use of a name of this type defines it.
      is_else: one of the forms of else.
      levels: of children that its rule looks at.
      keyword: the one node shared by all tokens of the type that are no names.
    """

    name: str
    rule: Rule | None
    is_statement: bool
    is_name: bool
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


class Node:
    """A node of the tree; its names are those of `Tokens` from `start` to `end`.

    Attributes:
      kind: its type and rule.
      start, end: a range of names.
      levels: how many levels of children are kept in full for a rule to look at; at level 0 only
        children with a program are kept.
      children: empty for a token.
      fields: the children that the grammar names; only where the node has a rule.
      program: what the walk does here; None where it only reads the names.
      position: of the first token; set for statements alone.
    """

    __slots__ = ("children", "end", "fields", "kind", "levels", "position", "program", "start")

    def __init__(self, kind: Kind, start: int, end: int, levels: int = 0):
        self.kind, self.start, self.end, self.levels = kind, start, end, levels
        self.children: list[Node] = []
        self.fields: dict[str, Node] = {} if kind.levels else _NO_FIELDS
        self.program: Program | None = None


_NO_FIELDS: dict[str, Node] = {}  # shared, as most nodes have no rule


class Tokens:
    """The tokens of a source, and its names: identifiers and literals that are not keywords.

    Attributes:
      texts: of every token.
      positions: of every name, its index in `texts`.
      names: of every name, its text.
      defines: of every name, whether its first use defines it.
    """

    __slots__ = ("defines", "names", "positions", "texts")

    def __init__(self):
        self.texts: list[str] = []
        self.positions: list[int] = []
        self.names: list[str] = []
        self.defines: list[bool] = []

    def drop_from(self, position: int) -> None:
        """Removes the tokens from a position to the end."""
        del self.texts[position:]
        while self.positions and self.positions[-1] >= position:
            for column in (self.positions, self.names, self.defines):
                column.pop()


def sequence(nodes: list[Node]) -> Program:
    """The programs of nodes one after the other; the names of those without one are read."""
    program: Program = []
    for node in nodes:
        if node.program is not None:
            program.append(node.program)
        elif node.start < node.end:
            program.append((node.start, node.end))
    return program


def between(node: Node) -> Program | None:
    """The programs of the children, with reads of the names between them; None without programs.

    Unlike `sequence`, it works where children without a program were not kept.
    """
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
