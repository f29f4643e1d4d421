"""The rows of functions, made once before training and kept on disk: arrays, never a pickle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from softnce_jax.dataflow.example import (
    Example,
    Specials,
    edge_room,
    make_example,
)
from softnce_jax.dataflow.extract import FEW, GRAMMARS, Function, extract_all

log = logging.getLogger(__name__)

FORMAT = 1  # raised when the same inputs come to give other rows
MOST_PIECES = 200_000  # tokens whose ids are remembered
PACKAGES = ("tree-sitter", *(f"tree-sitter-{language}" for language in GRAMMARS))


class Row(Protocol):
    """What has a function: a Pair or a Candidate."""

    code: str
    language: str


class Settings(NamedTuple):
    """How code becomes rows with data flow."""

    rules: Literal["published", "extended"]
    code_length: int
    flow_length: int


class Ragged(NamedTuple):
    """Examples end to end: rows of three kinds of arrays, and where each example ends."""

    ids: np.ndarray
    spans: np.ndarray
    edges: np.ndarray
    ends: np.ndarray  # (examples, 3)

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Ragged:
        """The arrays of examples."""
        sizes = [(len(e.ids), len(e.spans), len(e.edges)) for e in examples]
        ends = np.cumsum(np.array(sizes, np.int64).reshape(-1, 3), axis=0)
        empty = Example(np.zeros(0, np.int32), *np.zeros((2, 0, 2), np.int16))
        columns = zip(*((e.ids, e.spans, e.edges) for e in (empty, *examples)), strict=True)
        return cls(*map(np.concatenate, columns), ends)

    def example(self, at: int) -> Example:
        """One of them."""
        starts = self.ends[at - 1] if at else np.zeros(3, np.int64)
        parts = zip(self[:3], starts, self.ends[at], strict=True)
        return Example(*(column[start:end] for column, start, end in parts))


class GraphCodes:
    """Functions as rows with data flow, each made once.

    Args:
      tokenizer: of the encoder, an encoders.tokenize.Tokenizer.
      settings: rules and lengths.
      folder: of the cache; None for no cache.
    """

    def __init__(
        self,
        tokenizer: Any,
        settings: Settings,
        *,
        folder: Path | None = None,
    ):
        self.settings, self.edge_room = settings, edge_room(0)
        self._tokenizer, self._folder = tokenizer, folder
        self._specials = Specials(tokenizer.head, tokenizer.tail, tokenizer.unknown_id)
        self._place: dict[bytes, tuple[Ragged, int]] = {}
        self._pieces: dict[str, list[int]] = {}

    @property
    def length(self) -> int:
        """Places of a row."""
        return self.settings.code_length + self.settings.flow_length

    def __call__(self, rows: Sequence[Row]) -> list[Example]:
        """The examples of functions; those not prepared are made now."""
        self.prepare(rows)
        places = [self._place[digest((row.language, row.code))] for row in rows]
        return [ragged.example(at) for ragged, at in places]

    def prepare(self, rows: Iterable[Row]) -> None:
        """Makes the examples of functions, or reads them from the cache."""
        new = {digest(function): function for row in rows if (function := (row.language, row.code))}
        new = {key: function for key, function in new.items() if key not in self._place}
        if not new:
            return
        cached = self._folder is not None and len(new) > FEW
        path = self._folder / f"{self._key(new)}.npz" if cached else None
        ragged = read(path, len(new)) if cached else None
        if ragged is None:
            ragged = Ragged.of(self._make(list(new.values())))
            if cached:
                write(path, ragged)
        self._place |= {key: (ragged, at) for at, key in enumerate(new)}
        most = int(np.diff(ragged.ends[:, 2], prepend=0).max())
        self.edge_room = max(self.edge_room, edge_room(most))

    def _make(self, functions: list[Function]) -> list[Example]:
        """Extracts and converts; tells how many functions have which problem."""
        problems: Counter[str] = Counter()
        examples = []
        for (language, _), flow in zip(
            functions, extract_all(functions, self.settings.rules), strict=True
        ):
            if flow.problem is not None:
                problems[f"{language}: {flow.problem}"] += 1
            pieces = self._pieces_of(flow.tokens)
            _, code_length, flow_length = self.settings
            lengths = {"code_length": code_length, "flow_length": flow_length}
            examples.append(make_example(pieces, flow.edges, self._specials, **lengths))
        for problem, count in problems.most_common():
            log.info(f"data flow cut short in {count} of {len(functions)} functions ({problem})")
        return examples

    def _pieces_of(self, tokens: list[str]) -> list[list[int]]:
        """The ids of each token; all but the first follow white space."""
        known = self._pieces
        if len(known) > MOST_PIECES:
            known.clear()
        if unknown := list({token for token in tokens[1:] if token not in known}):
            ids = self._tokenizer.pieces(unknown, after_space=True)
            known.update(zip(unknown, ids, strict=True))
        first = self._tokenizer.pieces(tokens[:1], after_space=False)
        return [*first, *(known[token] for token in tokens[1:])]

    def _key(self, functions: Iterable[bytes]) -> str:
        """What the examples depend on, as a hash."""
        versions = [metadata.version(package) for package in PACKAGES]
        about = [FORMAT, *self.settings, *self._specials, versions, self._tokenizer.fingerprint()]
        whole = hashlib.sha256(json.dumps(about).encode())
        for function in functions:
            whole.update(function)
        return whole.hexdigest()[:32]


def digest(function: Function) -> bytes:
    """A hash of a language and code."""
    return hashlib.sha256(json.dumps(function).encode()).digest()


def read(path: Path, examples: int) -> Ragged | None:
    """The examples of a cache file; None where it is not there or damaged, saying so."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ragged = Ragged(**arrays)
        if len(ragged.ends) != examples:
            raise ValueError(f"{len(ragged.ends)} functions, not {examples}")
        return ragged
    except Exception as error:  # damage shows as any of several classes
        log.info(f"{path} is damaged ({error}): finding the data flow again")
        return None


def write(path: Path, ragged: Ragged) -> None:
    """Writes a cache file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, **ragged._asdict())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        log.info(f"the data flow could not be kept in {path} ({error}): it will be found again")
