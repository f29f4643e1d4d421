"""Data flow of functions: tokens, and which token's value comes from which."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from types import ModuleType
from typing import Literal, NamedTuple

import tree_sitter
from tqdm import tqdm

from softnce_jax.dataflow.nodes import Kind, Rule
from softnce_jax.dataflow.tree import read
from softnce_jax.dataflow.walk import BUDGET, Edge, Walk
from softnce_jax.languages import grammar, parse
from softnce_jax.processes import imap, usable_cores

__all__ = ["DataFlow", "Extractor", "Function", "extract_all"]

PARSE_ERROR = 0xFFFF  # tree-sitter's id for text that does not parse
CHUNK = 128  # functions that a process extracts at a time
FEW = 2_000  # functions that take about as long as starting processes

Function = tuple[str, str]  # language, code


class DataFlow(NamedTuple):
    """The data flow of one function.

    Attributes:
      tokens: of the code, without comments and docstrings.
      edges: sorted by position; one without parents is listed only if it is a parent itself.
      problem: why the walk ended early, None if it did not; the tokens are complete either way.
    """

    tokens: list[str]
    edges: list[Edge]
    problem: str | None


class Extractor:
    r"""The data flow of functions of one language.

    It holds a parser, which can be neither pickled nor shared by threads: make one in each.

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
          language: a key of LANGUAGES.
          rules: "published": those that the pre-trained GraphCodeBERT saw; "extended": with the
            syntax that they lack.
          budget: steps of the walk of one function.
        """
        tables = importlib.import_module(f"softnce_jax.dataflow.languages.{language}")
        table = {"published": tables.PUBLISHED, "extended": tables.EXTENDED}[rules]
        self._language, self._parser = language, tree_sitter.Parser(grammar(language))
        self._kinds = _kinds(grammar(language), table, tables)
        self._around = getattr(tables, "AROUND", ("", ""))
        self._budget = budget

    def __call__(self, code: str) -> DataFlow:
        """Tokens and edges of a function; any text has tokens, even if it does not parse."""
        before, after = self._around
        coded = f"{before}{code}{after}".encode("utf-8", "replace")
        tree = parse(coded, self._language, own=self._parser)
        if tree is None:
            return DataFlow(code.split(), [], "it takes too long to parse")
        tokens, root = read(tree, coded, self._kinds)
        walk = Walk(tokens, self._budget)
        problem = walk.run([root.program or (0, len(tokens.names))])
        return DataFlow(tokens.texts, _connected(walk.edges), problem)


def _kinds(
    grammar: tree_sitter.Language, rules: Mapping[str, Rule], tables: ModuleType
) -> dict[int, Kind]:
    """Every node type of a grammar, by its id."""
    statement, spelled = getattr(tables, "STATEMENT", None), set(tables.NAMES.split())
    names = {id: grammar.node_kind_for_id(id) for id in range(grammar.node_kind_count)}
    names[PARSE_ERROR] = "ERROR"
    return {
        id: Kind(name, rules.get(name), name == statement, name in spelled)
        for id, name in names.items()
    }


def _connected(edges: list[Edge]) -> list[Edge]:
    """The edges sorted by position, without those that neither have parents nor are parents."""
    are_parents = {parent for _, _, parents in edges for parent in parents}
    return sorted((edge for edge in edges if edge[2] or edge[0] in are_parents), key=itemgetter(0))


def extract_all(
    functions: Sequence[Function], rules: str, *, processes: int | None = None
) -> Iterator[DataFlow]:
    """The data flow of functions, in their order.

    Args:
      functions: pairs of language and code.
      rules: of the Extractor.
      processes: how many share the work; by default one a core, or only this one for few
        functions.

    Yields:
      A DataFlow for each function.
    """
    if processes is None:
        processes = usable_cores() if len(functions) > FEW else 1
    chunks = [functions[at : at + CHUNK] for at in range(0, len(functions), CHUNK)]
    work = functools.partial(_extract_chunk, rules=rules)
    quiet = processes == 1 and len(functions) <= FEW
    interval = 0.2 if sys.stderr.isatty() else 20  # seconds; a log file needs fewer lines
    with tqdm(
        total=len(functions), desc="data flow", unit="function", disable=quiet, mininterval=interval
    ) as bar:
        for flows in imap(work, chunks, processes):
            yield from flows
            bar.update(len(flows))


def _extract_chunk(functions: Sequence[Function], rules: str) -> list[DataFlow]:
    """The data flow of some functions, in this process."""
    return [_extractor(language, rules)(code) for language, code in functions]


@functools.cache
def _extractor(language: str, rules: str) -> Extractor:
    """The Extractor of a language in this process."""
    return Extractor(language, rules)
