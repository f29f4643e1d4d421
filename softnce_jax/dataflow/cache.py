"""The rows of functions, made once before training and cached on disk: arrays, never a pickle."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from softnce_jax.dataflow.example import (
    Example,
    Specials,
    edge_capacity,
    make_example,
)
from softnce_jax.dataflow.extract import FEW, Function, extract_all
from softnce_jax.files import whole_file
from softnce_jax.languages import LANGUAGES

log = logging.getLogger(__name__)

__all__ = ["GraphCodes", "Settings"]

# A function is cut before it is parsed: five seconds a megabyte is a lot for what no row holds. The
# rows of a function up to the cut are those of the whole; beyond it, where an end is missing, the
# parser may lose a part of the flow, never tokens.
CHARACTERS = 32  # of a function for each position of a row; code has 3 or 4 for each piece
LONGEST_CODE = 1 << 17  # characters that are read at least; no function that people write has them

FORMAT = 3  # increased when the same inputs come to give other rows
MAX_TOKENS = 200_000  # whose ids are remembered
GRAMMARS = [language.grammar.partition(":")[0] for language in LANGUAGES.values()]
PACKAGES = ("tree-sitter", *(module.replace("_", "-") for module in GRAMMARS))


class HasSource(Protocol):
    """A Pair or a Candidate: data flow is that of the function as it was written."""

    source: str
    language: str


class Settings(NamedTuple):
    """How code becomes rows with data flow."""

    rules: Literal["published", "extended"]
    code_length: int
    flow_length: int


class Ragged(NamedTuple):
    """Examples end to end: their three arrays, and where each example ends in them."""

    ids: np.ndarray
    spans: np.ndarray
    edges: np.ndarray
    ends: np.ndarray  # (examples, 3)

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Ragged:
        """Concatenates examples."""
        sizes = [(len(e.ids), len(e.spans), len(e.edges)) for e in examples]
        ends = np.cumsum(np.array(sizes, np.int64).reshape(-1, 3), axis=0)
        empty = Example(np.zeros(0, np.int32), *np.zeros((2, 0, 2), np.int16))
        columns = zip(*((e.ids, e.spans, e.edges) for e in (empty, *examples)), strict=True)
        return cls(*map(np.concatenate, columns), ends)

    def example(self, index: int) -> Example:
        """One example."""
        starts = self.ends[index - 1] if index else np.zeros(3, np.int64)
        bounds = zip(self[:3], starts, self.ends[index], strict=True)
        return Example(*(array[start:end] for array, start, end in bounds))


class GraphCodes:
    """Functions as rows with data flow, each made once.

    Args:
      tokenizer: the encoder's, an encoders.tokenizer.Tokenizer.
      settings: rules and lengths.
      folder: of the cache; None for no cache.

    Attributes:
      edge_capacity: enough for the edges of every function so far.
    """

    def __init__(
        self,
        tokenizer: Any,
        settings: Settings,
        *,
        folder: Path | None = None,
    ):
        self.settings, self.edge_capacity = settings, edge_capacity(0)
        self._tokenizer, self._folder = tokenizer, folder
        self._specials = Specials(tokenizer.head, tokenizer.tail, tokenizer.unknown_id)
        self._examples: dict[bytes, tuple[Ragged, int]] = {}  # by function: arrays and an index
        self._pieces: dict[str, list[int]] = {}

    @property
    def length(self) -> int:
        """The number of positions of a row."""
        return self.settings.code_length + self.settings.flow_length

    def __call__(self, rows: Sequence[HasSource]) -> list[Example]:
        """The examples of functions; those that are not prepared yet are made now."""
        self.prepare(rows)
        found = [self._examples[_digest((row.language, row.source))] for row in rows]
        return [ragged.example(index) for ragged, index in found]

    def prepare(self, rows: Iterable[HasSource]) -> None:
        """Makes the examples of functions, or reads them from the cache."""
        functions = [(row.language, row.source) for row in rows]
        new = {_digest(function): function for function in functions}
        new = {key: function for key, function in new.items() if key not in self._examples}
        if not new:
            return
        # Few functions take less time than a file.
        cached = self._folder is not None and len(new) > FEW
        path = self._folder / f"{self._key(new)}.npz" if cached else None
        ragged = _read(path, len(new)) if cached else None
        if ragged is None:
            ragged = Ragged.of(self._make(list(new.values())))
            if cached:
                _write(path, ragged)
        self._examples |= {key: (ragged, index) for index, key in enumerate(new)}
        most = int(np.diff(ragged.ends[:, 2], prepend=0).max())
        self.edge_capacity = max(self.edge_capacity, edge_capacity(most))

    def _make(self, functions: list[Function]) -> list[Example]:
        """Extracts and converts; logs how many functions have which problem."""
        problems: Counter[str] = Counter()
        examples = []
        _, code_length, flow_length = self.settings
        longest = max(LONGEST_CODE, CHARACTERS * self.length)
        cut = [(language, _cut(code, longest)) for language, code in functions]
        flows = extract_all(cut, self.settings.rules)
        for (language, code), flow in zip(functions, flows, strict=True):
            problem = flow.problem
            if len(code) > longest:
                problem = problem or f"it has more than {longest:,} characters"
            if problem is not None:
                problems[f"{language}: {problem}"] += 1
            examples.append(
                make_example(
                    self._pieces_of(flow.tokens),
                    flow.edges,
                    self._specials,
                    code_length=code_length,
                    flow_length=flow_length,
                )
            )
        for problem, count in problems.most_common():
            log.info(f"data flow cut short in {count} of {len(functions)} functions ({problem})")
        return examples

    def _pieces_of(self, tokens: list[str]) -> list[list[int]]:
        """The ids of each token; all but the first follow white space.

        Tokens of code repeat, so the ids of those that follow white space are remembered.
        """
        known = self._pieces
        if len(known) > MAX_TOKENS:
            known.clear()
        if unknown := list({token for token in tokens[1:] if token not in known}):
            ids = self._tokenizer.pieces(unknown, after_space=True)
            known.update(zip(unknown, ids, strict=True))
        first = self._tokenizer.pieces(tokens[:1], after_space=False)
        return [*first, *(known[token] for token in tokens[1:])]

    def _key(self, functions: Iterable[bytes]) -> str:
        """A hash of everything that the examples depend on."""
        versions = [metadata.version(package) for package in PACKAGES]
        inputs = [FORMAT, *self.settings, *self._specials, versions, self._tokenizer.fingerprint()]
        key = hashlib.sha256(json.dumps(inputs).encode())
        for function in functions:
            key.update(function)
        return key.hexdigest()[:32]


def _cut(code: str, size: int) -> str:
    r"""At most `size` characters of a function; whole lines if one ends in the second half.

    Example:
      >>> _cut("a = 1\nb = 2\nc = 3", 13), _cut("abcdef", 4)
      ('a = 1\nb = 2\n', 'abcd')
    """
    if len(code) <= size:
        return code
    end = code.rfind("\n", size // 2, size) + 1
    return code[: end or size]


def _digest(function: Function) -> bytes:
    """A hash of a language and a function as it was written."""
    return hashlib.sha256(json.dumps(function).encode()).digest()


def _read(path: Path, examples: int) -> Ragged | None:
    """The examples of a cache file; None if it is absent or damaged, which is logged."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ragged = Ragged(**arrays)
        if len(ragged.ends) != examples:
            raise ValueError(f"{len(ragged.ends)} functions, not {examples}")
        return ragged
    except Exception as error:  # damage raises any of several classes
        log.info(f"{path} is damaged ({error}): extracting the data flow again")
        return None


def _write(path: Path, ragged: Ragged) -> None:
    """Writes a cache file; training goes on without one if that fails."""
    try:
        with whole_file(path) as file:
            np.savez(file, **ragged._asdict())
    except OSError as error:
        log.info(
            f"the data flow could not be cached in {path} ({error}): it will be extracted again"
        )
