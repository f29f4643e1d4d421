"""Files that nobody would write on purpose, for Hypothesis to make: the same ones in every run."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from softnce_jax.errors import InputError

# Bounded, without a data base of examples, and without clocks.
bounded = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)

texts = st.one_of(
    st.sampled_from(
        ["", " ", "sort a list", "def f(): ...", "go", "python", "test", "\ud800", "1"]
    ),
    st.text(max_size=8),
    st.text(st.characters(categories=["Cs", "Cc", "Zl", "Zs"]), max_size=4),
)
scalars = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.sampled_from([10**400, -(10**20)]),
)
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=2), max_leaves=5),
    st.dictionaries(texts, scalars, max_size=2),
)


def objects(*names: str) -> st.SearchStrategy[dict]:
    """JSON objects with fields that a reader asks for: any of them, or all but a few as usual."""
    some = st.dictionaries(st.one_of(st.sampled_from(names), texts), values, max_size=len(names))
    usual = {"language": "python", "split": "train", "negatives": []}
    whole = {name: usual.get(name, "1") for name in names}
    odd = st.dictionaries(st.sampled_from(names), values, max_size=2)
    return st.one_of(some, odd.map(lambda fields: whole | fields))


def lines(*names: str) -> st.SearchStrategy[bytes]:
    """Lines of JSON, most of them whole."""
    whole = objects(*names).map(lambda row: json.dumps(row).encode())
    as_bytes = objects(*names).map(
        lambda row: json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )
    cut = st.tuples(whole, st.integers(0, 40)).map(lambda x: x[0][: x[1]])
    odd = [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b"null",
        b"",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ]
    return st.one_of(whole, whole, as_bytes, cut, st.binary(max_size=9), st.sampled_from(odd))


def files(line: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Lines put together, perhaps with a byte order mark."""
    mark = st.sampled_from([b"", b"", b"\xef\xbb\xbf"])
    return st.tuples(mark, st.lists(line, max_size=6).map(b"\n".join)).map(b"".join)


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """A file cut, or with some bytes changed."""
    cut = st.integers(0, len(whole)).map(lambda end: whole[:end])
    change = st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255))
    return st.one_of(cut, st.lists(change, min_size=1, max_size=4).map(lambda c: _change(whole, c)))


def _change(whole: bytes, changes: list[tuple[int, int]]) -> bytes:
    content = bytearray(whole)
    for place, value in changes:
        content[place] = value
    return bytes(content)


def gzipped(file: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Gzipped files, one in two damaged."""
    packed = file.map(lambda content: gzip.compress(content, mtime=0))
    return st.one_of(packed, packed.flatmap(damaged))


@contextlib.contextmanager
def only_input_errors(path: Path) -> Iterator[None]:
    """Lets an InputError pass that is one line and names the file, and nothing else."""
    try:
        yield
    except InputError as error:
        assert "\n" not in f"{error}" and str(path.parent) in f"{error}" and len(f"{error}") < 3000
        f"{error}".encode()
