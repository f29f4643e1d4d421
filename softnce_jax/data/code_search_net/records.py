"""A function as a record: from the columns of any source to bytes, and back to what is read.

A record is a tf.train.Example, byte for byte what TFDS makes of the same features, made without
its checks of every value, which take twenty times as long.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tensorflow_datasets.proto import tf_example_pb2

# Feature -> its columns: CodeSearchNet's own and those of its mirrors on the Hub.
TEXTS = {
    "url": ("url", "func_code_url"),
    "repo": ("repo", "repository_name"),
    "path": ("path", "func_path_in_repository"),
    "func_name": ("func_name",),
    "language": ("language",),
    "code": ("code", "func_code_string"),
    "docstring": ("docstring", "func_documentation_string"),
}
TOKENS = {
    "code_tokens": ("code_tokens", "func_code_tokens"),
    "docstring_tokens": ("docstring_tokens", "func_documentation_tokens"),
}
COLUMNS = {name for names in (TEXTS | TOKENS).values() for name in names}
NEEDED = ("url", "language", "code", "code_tokens", "docstring_tokens")

Function = dict[str, Any]  # every feature: a string, or a list of them


class Texts(NamedTuple):
    """What training reads of a record."""

    query: str
    code: str
    url: str
    language: str


def function(row: Mapping[str, Any]) -> Function | str:
    """The features of a row, or why it has none.

    Example:
      >>> row = {"url": "u", "language": "go", "code": "f", "code_tokens": ["f"]}
      >>> function(row), function(row | {"docstring_tokens": ["Does", "f"]})["docstring_tokens"]
      ('a row without docstring_tokens', ['Does', 'f'])
    """
    found: Function = {}
    for kind, features in ((str, TEXTS), (list, TOKENS)):
        for feature, names in features.items():
            value = next((row[name] for name in names if isinstance(row.get(name), kind)), None)
            if value is None and feature in NEEDED:
                return f"a row without {feature}"
            found[feature] = kind() if value is None else value
    return found


def to_bytes(found: Function) -> bytes:
    """The record of a function."""
    example = tf_example_pb2.Example()
    features = example.features.feature
    for name in sorted(found):
        value = found[name]
        texts = [value] if isinstance(value, str) else value
        features[name].bytes_list.value.extend([t.encode("utf-8", "replace") for t in texts])
    return example.SerializeToString(deterministic=True)


def to_texts(record: bytes) -> Texts:
    """The query and the code of a record: their tokens joined by spaces, as published.

    Example:
      >>> row = {"url": "u", "language": "go", "code": "", "code_tokens": ["f", "(", ")"]}
      >>> to_texts(to_bytes(function(row | {"docstring_tokens": ["Does", "f"]})))
      Texts(query='Does f', code='f ( )', url='u', language='go')
    """
    features = tf_example_pb2.Example.FromString(record).features.feature
    joined = {
        name: b" ".join(features[name].bytes_list.value).decode().strip()
        for name in ("docstring_tokens", "code_tokens", "url", "language")
    }
    return Texts(*joined.values())


def digest(found: Function) -> bytes:
    """SHA-256 of what training reads of a function."""
    joined = [" ".join(found[name]).strip() for name in ("docstring_tokens", "code_tokens")]
    return hashlib.sha256(json.dumps([*joined, found["url"], found["language"]]).encode()).digest()


def key(url: str) -> bytes:
    """Sixteen bytes that stand for a url."""
    return hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=16).digest()
