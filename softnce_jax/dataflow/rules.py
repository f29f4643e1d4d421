"""What the forms of a language do to the state of its names, as programs for the walker.

A rule looks at one node, whose children have their programs already, and says what happens there:
names are read, names are defined from others, branches unite, loops run twice. The tables in
`languages/` say which rule a node type has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from softnce_jax.dataflow.tree import Node, sequence

COMES_FROM, COMPUTED_FROM = "comesFrom", "computedFrom"


@dataclass(eq=False, slots=True)
class Write:
    """The names of `targets` are defined; from those of `sources`, or, for None, from nothing.

    With `each`, there is one entry for each target and source, else one for each target.
    """

    targets: Node
    sources: Node | None
    relation: str
    each: bool


@dataclass(eq=False, slots=True)
class Branch:
    """Programs that all start from the state here; their ends are united, with it if `keep`."""

    programs: list[Program]
    keep: bool


@dataclass(eq=False, slots=True)
class Loop:
    """The node's first round and the second one, in which what was defined below is known."""

    node: Node
    first: Program
    again: Program


@dataclass(eq=False, slots=True)
class Stop:
    """The walk ends here, for a reason."""

    reason: str


# Names to read, as a range (start, end); what is done with names; programs one after the other.
Program = list["tuple[int, int] | Write | Branch | Loop | Stop | Program"]


class Rule(Protocol):
    """What a node type does.

    Attributes:
      levels: of children that it looks at: 1, or 2 with the children's own.
    """

    levels: int

    def program(self, node: Node) -> Program:
        """The program of a node of this type."""


@dataclass(frozen=True)
class InOrder:
    """The children in order, those of a type before the others.

    Without a type it does what happens without a rule; it lets another rule ask for the fields.
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
      lenient: without a name its children are run in order; else the walk stops.
    """

    name: str = "name"
    value: str = "value"
    lenient: bool = False
    levels = 1

    def program(self, node: Node) -> Program:
        """The value, then the names; without a value the names alone."""
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
      left, right: fields, or places among the children.
      how: "each": an entry for each pair of names; "all": one for each name, with all parents;
        "pairs": as "all", but sides with as many parts (`a, b = b, a`) go part by part.
      lenient: without a side its children are run in order; else the walk stops.
    """

    left: str | int = "left"
    right: str | int = "right"
    how: str = "each"
    lenient: bool = False
    levels = 2

    def program(self, node: Node) -> Program:
        """The right side, then the left. An annotation alone (x: int) does nothing."""
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
        """Only the write."""
        return [Write(node, node, COMPUTED_FROM, True)]


@dataclass(frozen=True)
class If:
    """A choice: its branches start from the state before it, all ends are united.

    Attributes:
      branches: types of the children that start from the state before; the others run on.
      sticky: all children after the first branch are branches.
      keep: the state before is one of the ends even where there is an else.
      exact: a keyword among the branches, and an else around the node, are no branches.
    """

    branches: frozenset[str]
    sticky: bool = False
    keep: bool = False
    exact: bool = False
    levels = 1

    def program(self, node: Node) -> Program:
        """One Branch: the condition and what runs on from it, then each branch."""
        on, branches = [], []
        for child in node.children:
            apart = child.kind.name in self.branches or (self.sticky and branches)
            (branches if apart else on).append(child)
        ends = [sequence([branch]) for branch in branches]
        keep = self.keep or not any(child.kind.is_else for child in node.children)
        if not self.exact:  # a keyword leaves the state before as it is
            keep = [] in ends or (keep and not node.kind.is_else)
        return [Branch([sequence(on), *filter(None, ends)], keep)]


@dataclass(frozen=True)
class While:
    """A loop of all its children."""

    levels = 1

    def program(self, node: Node) -> Program:
        """Twice the same."""
        once = sequence(node.children)
        return [Loop(node, once, once)]


@dataclass(frozen=True)
class For:
    """for (init; condition; update) body: the second round begins after the init.

    Attributes:
      init: types of the child after which the second round begins.
      update: a field of that child that is run before the rest.
      always: where there is no such child, the second round is like the first; else there is none.
    """

    init: frozenset[str]
    update: str | None = None
    always: bool = False
    levels = 1

    def program(self, node: Node) -> Program:
        """All children, then those of the second round."""
        children = node.children
        again = children if self.always else []
        for place, child in enumerate(children):
            if child.kind.name in self.init:
                updates = [child.fields[self.update]] if self.update in child.fields else []
                again = [*updates, *children[place + 1 :]]
                break
        return [Loop(node, sequence(children), sequence(again))]


@dataclass(frozen=True)
class ForEach:
    """for x in xs: in both rounds x is assigned from xs, then the body runs.

    Attributes:
      left, right, how: as those of Assign.
      body: a field.
      otherwise: a field that runs after the loop.
      lost_with: a field that makes the body lost.
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
        parts = {name: part(node, name) for name in (self.left, self.right, self.body)}
        for name, found in parts.items():
            if found is None:
                return stop(node, name)
        left, right, body = parts.values()
        inner = [] if self.lost_with in node.fields else [body]
        after = [node.fields[self.otherwise]] if self.otherwise in node.fields else []
        return [*rounds(node, left, right, inner, self.how), *sequence(after)]


def part(node: Node, which: str | int) -> Node | None:
    """A child of a node by its field or its place."""
    return node.fields.get(which) if isinstance(which, str) else node.children[which]


def stop(node: Node, field: str | int) -> Program:
    """The end of the walk, at a node that lacks a part."""
    return [Stop(f"{node.kind.name} without {field}")]


def assign(left: Node, right: Node, how: str) -> Program:
    """The right side is read, then the left is written, in the manner `how` of Assign."""
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
