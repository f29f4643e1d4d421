"""Data flow of functions: tokens, and which token's value comes from which."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Literal, NamedTuple

import tree_sitter
import tree_sitter_go
import tree_sitter_java
import tree_sitter_javascript
import tree_sitter_php
import tree_sitter_python
import tree_sitter_ruby
from tqdm import tqdm

from softnce_jax.dataflow.languages import go, java, javascript, php, python, ruby
from softnce_jax.dataflow.rules import Rule
from softnce_jax.dataflow.tree import Kind, read
from softnce_jax.dataflow.walk import BUDGET, Edge, Walk
from softnce_jax.processes import run

GRAMMARS = {
    "ruby": (tree_sitter_ruby.language, ruby),
    "javascript": (tree_sitter_javascript.language, javascript),
    "go": (tree_sitter_go.language, go),
    "python": (tree_sitter_python.language, python),
    "java": (tree_sitter_java.language, java),
    "php": (tree_sitter_php.language_php, php),
}
ERROR = 0xFFFF  # the id of what could not be parsed


class DataFlow(NamedTuple):
    """What an Extractor finds.

    Attributes:
      tokens: of the code, comments and docstrings left out.
      edges: by position; an entry without parents is there where it is a parent.
      problem: why the walk ended early, None where it did not; tokens are whole all the same.
    """

    tokens: list[str]
    edges: list[Edge]
    problem: str | None


class Extractor:
    r"""The data flow of functions of one language.

    It holds a parser, which cannot be pickled or shared by threads: make one in each.

    Example:
      >>> extractor = Extractor("python")
      >>> tokens, edges, _ = extractor("def double(x):\n    y = x + x\n    return y")
      >>> for position, relation, parents in edges:
      ...     print(tokens[position], relation, [tokens[parent] for parent in parents])
      x comesFrom []
      y computedFrom ['x', 'x']
      x comesFrom ['x']
      x comesFrom ['x']
      y comesFrom ['y']
    """

    def __init__(
        self, language: str, rules: Literal["published", "extended"] = "published", *, budget=BUDGET
    ):
        """Loads a grammar and its rules.

        Args:
          language: a key of GRAMMARS.
          rules: "published": as the pre-trained GraphCodeBERT saw them; "extended": with the
            forms it lacked.
          budget: steps of the walk of one function.
        """
        grammar, tables = GRAMMARS[language]
        table = {"published": tables.PUBLISHED, "extended": tables.EXTENDED}[rules]
        parsed = tree_sitter.Language(grammar())
        self._parser = tree_sitter.Parser(parsed)
        self._kinds = kinds(parsed, table, getattr(tables, "STATEMENT", None))
        self._around = getattr(tables, "AROUND", ("", ""))
        self._budget = budget

    def __call__(self, code: str) -> DataFlow:
        """Tokens and edges of a function; tokens of any text, whatever is wrong with it."""
        before, after = self._around
        coded = f"{before}{code}{after}".encode("utf-8", "replace")
        tokens, root = read(self._parser.parse(coded), coded, self._kinds)
        walk = Walk(tokens, self._budget)
        problem = walk.run([root.program or (0, len(tokens.names))])
        return DataFlow(tokens.texts, connected(walk.edges), problem)


def kinds(grammar: tree_sitter.Language, rules: Mapping[str, Rule], statement: str | None):
    """Every node type of a grammar by its id."""
    names = {id: grammar.node_kind_for_id(id) for id in range(grammar.node_kind_count)}
    names[ERROR] = "ERROR"
    return {id: Kind(name, rules.get(name), name == statement) for id, name in names.items()}


def connected(edges: list[Edge]) -> list[Edge]:
    """The edges by position, without entries that have no parents and are nobody's parent."""
    used = {parent for _, _, parents in edges for parent in parents}
    kept = [edge for edge in edges if edge[2] or edge[0] in used]
    return sorted(kept, key=itemgetter(0))


Function = tuple[str, str]  # language, code


CHUNK = 128


FEW = 2_000  # functions that take about as long as starting processes


def extract_all(
    functions: Sequence[Function], rules: str, *, processes: int | None = None
) -> Iterator[DataFlow]:
    """The data flow of functions, in their order.

    Args:
      functions: pairs of language and code.
      rules: of the Extractor.
      processes: at work; by default one a core, and none beside this one for few functions.

    Yields:
      A DataFlow for each function.
    """
    if processes is None:
        processes = (os.cpu_count() or 1) if len(functions) > FEW else 1
    chunks = [functions[at : at + CHUNK] for at in range(0, len(functions), CHUNK)]
    work = functools.partial(extract_chunk, rules=rules)
    quiet = processes == 1 and len(functions) <= FEW
    calm = 0.2 if sys.stderr.isatty() else 20
    with tqdm(
        total=len(functions), desc="data flow", unit="function", disable=quiet, mininterval=calm
    ) as bar:
        for found in run(work, chunks, processes):
            yield from found
            bar.update(len(found))


def extract_chunk(functions: Sequence[Function], rules: str) -> list[DataFlow]:
    """The data flow of some functions, in this process."""
    return [extractor(language, rules)(code) for language, code in functions]


@functools.cache
def extractor(language: str, rules: str) -> Extractor:
    """The Extractor of the process."""
    return Extractor(language, rules)
