"""Rules: what the syntax of a language does to the state of its names, as programs for the walk.

A rule looks at one node whose children already have their programs, and makes the program of the
node. The tables in `languages/` give each node type its rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from softnce_jax.dataflow.nodes import (
    COMES_FROM,
    COMPUTED_FROM,
    Branch,
    Loop,
    Node,
    Program,
    Stop,
    Write,
    sequence,
)


@dataclass(frozen=True)
class InOrder:
    """The children in order, those of type `first` before the others.

    Without `first` it runs as no rule would, but the node keeps its fields for another rule.
    """

    first: str | None = None
    levels = 1

    def program(self, node: Node) -> Program:
        """The children's programs."""
        return sequence(sorted(node.children, key=lambda child: child.kind.name != self.first))


@dataclass(frozen=True)
class Define:
    """A declaration: the value is read, then the names come from each of its names.

    Attributes:
      name, value: fields.
      lenient: whether a node without a name runs its children in order; else the walk stops.
    """

    name: str = "name"
    value: str = "value"
    lenient: bool = False
    levels = 1

    def program(self, node: Node) -> Program:
        """The value, then the names; without a value only the names."""
        name, value = node.fields.get(self.name), node.fields.get(self.value)
        if name is None:
            return sequence(node.children) if self.lenient else stop(node, self.name)
        if value is None:
            return [Write(name, None, COMES_FROM, False)]
        return [*sequence([value]), Write(name, value, COMES_FROM, True)]


@dataclass(frozen=True)
class Assign:
    """An assignment: the right side is read, the names of the left are computed from its names.

    Attributes:
      left, right: fields, or indices among the children.
      how: "each": an edge for each pair of names; "all": one for each name, with all parents;
        "pairs": as "all", but sides with equally many parts (`a, b = b, a`) go part by part.
      lenient: whether a node without a side runs its children in order; else the walk stops.
    """

    left: str | int = "left"
    right: str | int = "right"
    how: str = "each"
    lenient: bool = False
    levels = 2

    def program(self, node: Node) -> Program:
        """The right side, then the left; a bare annotation (`x: int`) does nothing."""
        left, right = part(node, self.left), part(node, self.right)
        if right is None and self.how == "pairs":
            return []
        if left is None or right is None:
            absent = self.left if left is None else self.right
            return sequence(node.children) if self.lenient else stop(node, absent)
        return assign(left, right, self.how)


@dataclass(frozen=True)
class Increment:
    """x++: every name in it is computed from every name in it."""

    levels = 1

    def program(self, node: Node) -> Program:
        """A write alone."""
        return [Write(node, node, COMPUTED_FROM, True)]


@dataclass(frozen=True)
class If:
    """A choice: its branches start from the state before it, all ends are united.

    Attributes:
      branches: types of the children that start from the state before; the others are the
        condition and what runs on from it.
      sticky: whether all children after the first branch are branches.
      keep: whether the state before is one of the ends even where there is an else.
      exact: whether a keyword among the branches, and an else around the node, are no branches.
        The published rules take them for branches.
    """

    branches: frozenset[str]
    sticky: bool = False
    keep: bool = False
    exact: bool = False
    levels = 1

    def program(self, node: Node) -> Program:
        """One Branch: the condition and what runs on from it, then each branch."""
        condition, branches = [], []
        for child in node.children:
            is_branch = child.kind.name in self.branches or (self.sticky and branches)
            (branches if is_branch else condition).append(child)
        ends = [sequence([branch]) for branch in branches]
        keep = self.keep or not any(child.kind.is_else for child in node.children)
        if not self.exact:  # a keyword leaves the state before as it is
            keep = [] in ends or (keep and not node.kind.is_else)
        return [Branch([sequence(condition), *filter(None, ends)], keep)]


@dataclass(frozen=True)
class While:
    """A loop of all its children."""

    levels = 1

    def program(self, node: Node) -> Program:
        """Two equal rounds."""
        once = sequence(node.children)
        return [Loop(node, once, once)]


@dataclass(frozen=True)
class For:
    """for (init; condition; update) body: the second round begins after the init.

    Attributes:
      init: types of the child after which the second round begins.
      update: a field of that child that runs before the rest.
      always: whether a loop without such a child has a second round, like the first.
    """

    init: frozenset[str]
    update: str | None = None
    always: bool = False
    levels = 1

    def program(self, node: Node) -> Program:
        """All children, then those of the second round."""
        children = node.children
        again = children if self.always else []
        for index, child in enumerate(children):
            if child.kind.name in self.init:
                updates = [child.fields[self.update]] if self.update in child.fields else []
                again = [*updates, *children[index + 1 :]]
                break
        return [Loop(node, sequence(children), sequence(again))]


@dataclass(frozen=True)
class ForEach:
    """for x in xs: in both rounds x is assigned from xs, then the body runs.

    Attributes:
      left, right, how: as in Assign.
      body: a field.
      otherwise: a field that runs after the loop.
      lost_with: a field beside which the body is skipped, as in the published code.
    """

    left: str | int = "left"
    right: str | int = "right"
    body: str = "body"
    how: str = "each"
    otherwise: str | None = None
    lost_with: str | None = None
    levels = 2

    def program(self, node: Node) -> Program:
        """Two equal rounds, then what follows the loop."""
        children = {name: part(node, name) for name in (self.left, self.right, self.body)}
        for name, child in children.items():
            if child is None:
                return stop(node, name)
        left, right, body = children.values()
        inner = [] if self.lost_with in node.fields else [body]
        after = [node.fields[self.otherwise]] if self.otherwise in node.fields else []
        return [*rounds(node, left, right, inner, self.how), *sequence(after)]


def part(node: Node, which: str | int) -> Node | None:
    """A child of a node by its field or its index."""
    return node.fields.get(which) if isinstance(which, str) else node.children[which]


def stop(node: Node, field: str | int) -> Program:
    """Ends the walk at a node that lacks a part."""
    return [Stop(f"{node.kind.name} without {field}")]


def assign(left: Node, right: Node, how: str) -> Program:
    """Reads the right side, then writes the left; `how` as in Assign."""
    sides = [(left, right)]
    if how == "pairs":
        lefts, rights = elements(left), elements(right)
        if lefts and len(lefts) == len(rights):
            sides = list(zip(lefts, rights, strict=True))
    writes = [Write(a, b, COMPUTED_FROM, how == "each") for a, b in sides]
    return [*sequence([b for _, b in sides]), *writes]


def elements(node: Node) -> list[Node]:
    """The parts of one side of `a, b = b, a`."""
    return [child for child in node.children if child.kind.name != ","]


def rounds(node: Node, left: Node, right: Node, body: list[Node], how: str) -> Program:
    """A loop that assigns, then runs its body, twice."""
    once = [*assign(left, right, how), *sequence(body)]
    return [Loop(node, once, once)]
