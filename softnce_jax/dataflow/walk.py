"""The walk: a program and the names of a function become its data flow.

The state maps a name to the positions that may have defined it last. Programs nest as the source
does, so they run from a stack of iterators, on which a branch and a loop are generators. A loop
inside loops runs once for each state of its names at its entry, so nested loops cost a polynomial.
"""

from __future__ import annotations

from collections.abc import Iterator

from softnce_jax.dataflow.nodes import COMES_FROM, Branch, Loop, Program, Stop, Tokens, Write

# Steps (names read, parents, united states) of one function. None of 24,000 real ones needs 14,000.
BUDGET = 1_000_000

# The position of a token, "comesFrom" or "computedFrom", and the positions of its parents.
Edge = tuple[int, str, tuple[int, ...]]


class _Stopped(Exception):
    """The walk ended early; its message is the reason."""


class Walk:
    """One walk over one function.

    Attributes:
      edges: in the order of the walk; complete after `run`.
      spent: steps so far.
    """

    def __init__(self, tokens: Tokens, budget: int = BUDGET):
        self.edges: list[Edge] = []
        self.spent = 0
        self._names, self._positions = tokens.names, tokens.positions
        self._defines, self._budget = tokens.defines, budget
        self._state: dict[str, tuple[int, ...]] = {}
        # Inside a branch: the state before it of the names that it has changed.
        self._before: dict[str, tuple[int, ...] | None] | None = None
        # Inside a loop: the edges of the outermost one, whose rounds are merged.
        self._merged: dict[tuple[int, str], set[int]] | None = None
        # The end of an inner loop, by the loop and the state of its names at its entry.
        self._ends: dict[tuple, list[tuple[int, ...] | None]] = {}

    def run(self, program: Program) -> str | None:
        """Runs a program; returns why it ended early, or None."""
        try:
            self._run(program)
        except _Stopped as stopped:
            return str(stopped)
        finally:
            self._end_loop()
        return None

    def _run(self, program: Program) -> None:
        stack: list[Iterator] = [iter(program)]
        nested = {list: iter, Branch: self._branch, Loop: self._loop}
        while stack:
            for item in stack[-1]:
                kind = type(item)
                if kind is tuple:
                    self._read(*item)
                elif kind is Write:
                    self._write(item)
                elif kind is Stop:
                    raise _Stopped(item.reason)
                else:  # go on with the nested program; the loop comes back to this one
                    stack.append(nested[kind](item))
                    break
            else:
                stack.pop()

    def _read(self, start: int, end: int) -> None:
        """Adds an edge to each name from its last definitions; a first use may define it."""
        for at in range(start, end):
            name, position = self._names[at], self._positions[at]
            parents = self._state.get(name, ())
            if not parents and self._defines[at]:
                self._set(name, (position,))
            self._add(position, COMES_FROM, parents)

    def _write(self, write: Write) -> None:
        """Defines the targets from the sources."""
        targets, sources = write.targets, write.sources
        parents = tuple(self._positions[sources.start : sources.end]) if sources else ()
        for at in range(targets.start, targets.end):
            position = self._positions[at]
            if write.each:
                for parent in parents:
                    self._add(position, write.relation, (parent,))
            else:
                self._add(position, write.relation, parents)
            self._set(self._names[at], (position,))

    def _branch(self, branch: Branch) -> Iterator[Program]:
        """Runs each program from the state before, then unites their ends."""
        state, outer = self._state, self._before
        ends = []
        for program in branch.programs:
            self._before = before = {}
            yield program
            ends.append({name: state[name] for name in before})
            for name, old in before.items():
                if old is None:
                    del state[name]
                else:
                    state[name] = old
        self._before = outer
        for name in dict.fromkeys(name for end in ends for name in end):
            old = state.get(name, ())
            united = set(old) if branch.keep else set()
            for end in ends:
                united.update(end.get(name, old))
            self._spend(len(united))
            self._set(name, tuple(sorted(united)))

    def _loop(self, loop: Loop) -> Iterator[Program]:
        """Runs both rounds; in an inner loop, recalls their end if the state is a known one."""
        if self._merged is None:
            self._merged = {}
            yield loop.first
            yield loop.again
            self._end_loop()
            return
        state = self._state
        names = list(dict.fromkeys(self._names[loop.node.start : loop.node.end]))
        self._spend(len(names))
        entry = (loop.node, *map(state.get, names))
        if entry in self._ends:
            for name, end in zip(names, self._ends[entry], strict=True):
                if end is not None and state.get(name) != end:
                    self._set(name, end)
            return
        yield loop.first
        yield loop.again
        self._ends[entry] = [state.get(name) for name in names]

    def _end_loop(self) -> None:
        """Adds the edges of the outermost loop, merged by position and relation."""
        for (position, relation), parents in (self._merged or {}).items():
            self.edges.append((position, relation, tuple(sorted(parents))))
        self._merged = None

    def _set(self, name: str, positions: tuple[int, ...]) -> None:
        if self._before is not None:
            self._before.setdefault(name, self._state.get(name))
        self._state[name] = positions

    def _add(self, position: int, relation: str, parents: tuple[int, ...]) -> None:
        self._spend(1 + len(parents))
        if self._merged is None:
            self.edges.append((position, relation, parents))
        else:
            self._merged.setdefault((position, relation), set()).update(parents)

    def _spend(self, steps: int) -> None:
        self.spent += steps
        if self.spent > self._budget:
            raise _Stopped(f"more than {self._budget:,} steps")
