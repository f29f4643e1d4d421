"""Functions as records: from the columns of any mirror to bytes, and back to what training reads.

A record is a tf.train.Example, byte for byte the one that TFDS makes of the same features. TFDS
also checks every value, which takes twenty times as long.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tensorflow_datasets.proto import tf_example_pb2

__all__ = [
    "COLUMNS",
    "TEXTS",
    "TOKENS",
    "Features",
    "Texts",
    "text_digest",
    "to_bytes",
    "to_features",
    "to_texts",
    "url_key",
]

# Feature -> its columns: CodeSearchNet's own and those of its mirrors on the Hub.
TEXTS = {
    "url": ("url", "func_code_url"),
    "repo": ("repo", "repository_name"),
    "path": ("path", "func_path_in_repository"),
    "func_name": ("func_name",),
    "language": ("language",),
    "original_string": ("original_string", "whole_func_string", "code", "func_code_string"),
    "code": ("code", "func_code_string", "original_string", "whole_func_string"),
    "docstring": ("docstring", "func_documentation_string"),
}
TOKENS = {
    "code_tokens": ("code_tokens", "func_code_tokens"),
    "docstring_tokens": ("docstring_tokens", "func_documentation_tokens"),
}
COLUMNS = {name for names in (TEXTS | TOKENS).values() for name in names}
# The features of Texts.
OF_TEXTS = ("docstring_tokens", "code_tokens", "url", "language", "original_string")
REQUIRED = ("url", "language", "code", "code_tokens", "docstring_tokens")

Features = dict[str, Any]  # of a function, all of TEXTS and TOKENS: strings, and lists of them


class Texts(NamedTuple):
    """The fields of a record that training reads, as in a Pair."""

    query: str
    code: str
    url: str
    language: str
    source: str


def to_features(row: Mapping[str, Any]) -> Features | str:
    """The features of a row, or why it cannot be used.

    Example:
      >>> row = {"url": "u", "language": "go", "code": "f", "code_tokens": ["f"]}
      >>> to_features(row)
      'a row without docstring_tokens'
      >>> to_features(row | {"docstring_tokens": ["Does", "f"]})["docstring_tokens"]
      ['Does', 'f']
    """
    features: Features = {}
    for type_, columns in ((str, TEXTS), (list, TOKENS)):
        for feature, names in columns.items():
            found = [row[name] for name in names if isinstance(row.get(name), type_)]
            value = next(filter(None, found), found[0] if found else None)
            if value is None and feature in REQUIRED:
                return f"a row without {feature}"
            if type_ is list and not all(isinstance(token, str) for token in value or ()):
                return f"{feature} that are not all texts"
            features[feature] = type_() if value is None else value
    return features


def to_bytes(features: Features) -> bytes:
    """The record of a function."""
    example = tf_example_pb2.Example()
    encoded = example.features.feature
    for name in sorted(features):
        value = features[name]
        texts = [value] if isinstance(value, str) else value
        encoded[name].bytes_list.value.extend([t.encode("utf-8", "replace") for t in texts])
    return example.SerializeToString(deterministic=True)


def to_texts(record: bytes) -> Texts:
    """The texts of a record: query and code are their tokens joined by spaces, as published.

    Example:
      >>> row = {"url": "u", "language": "go", "code": "f()", "code_tokens": ["f", "(", ")"]}
      >>> to_texts(to_bytes(to_features(row | {"docstring_tokens": ["Does", "f"]})))
      Texts(query='Does f', code='f ( )', url='u', language='go', source='f()')
    """
    features = tf_example_pb2.Example.FromString(record).features.feature
    joined = {
        name: b" ".join(features[name].bytes_list.value).decode().strip() for name in OF_TEXTS
    }
    return Texts(*joined.values())


def text_digest(features: Features) -> bytes:
    """SHA-256 of the fields that training reads."""
    values = (features[name] for name in OF_TEXTS)
    joined = [(v if isinstance(v, str) else " ".join(v)).strip() for v in values]
    return hashlib.sha256(json.dumps(joined).encode()).digest()


def url_key(url: str) -> bytes:
    """A 16-byte hash of a url."""
    return hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=16).digest()
