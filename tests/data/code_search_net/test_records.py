"""Records: byte for byte what TFDS would write."""

from __future__ import annotations

import tensorflow_datasets as tfds
from tensorflow_datasets.core.example_serializer import ExampleSerializer
from tensorflow_datasets.proto import tf_example_pb2

from softnce_jax.data.code_search_net.records import (
    text_digest,
    to_bytes,
    to_features,
    to_texts,
)
from softnce_jax.data.load import prepared_folder
from tests.data.code_search_net import archives


def test_a_record_is_what_tfds_makes(corpus, data):
    features = tfds.builder_from_directory(
        prepared_folder(data / "code_search_net", "ruby")
    ).info.features
    serializer = ExampleSerializer(features.get_serialized_info())
    odd = archives.row("train", 1, code_tokens=[], code="é\n\u2028")
    for row in (archives.by_url("train")[0], odd):
        found = to_features(row)
        theirs = serializer.serialize_example(features.encode_example(found))
        parse = tf_example_pb2.Example.FromString
        assert parse(to_bytes(found)) == parse(theirs)
    assert parse(to_bytes(found)) != parse(to_bytes(found | {"path": "other"}))


def test_a_record_has_both_texts_and_a_raw_row_may_bring_one():
    row = archives.row("train", 1, original_string=" as written ", code="code")
    for changes, written in (
        ({}, "as written"),
        ({"original_string": None}, "code"),
        ({"original_string": ""}, "code"),
        ({"code": None}, "as written"),
        ({"original_string": None, "whole_func_string": "of a mirror"}, "of a mirror"),
    ):
        texts = to_texts(to_bytes(to_features(row | changes)))
        assert (texts.code, texts.source) == (" ".join(row["code_tokens"]), written)
    without = {name: value for name, value in row.items() if name != "original_string"}
    assert to_features(without | {"code": None}) == "a row without code"
    assert text_digest(to_features(row)) != text_digest(to_features(without))
