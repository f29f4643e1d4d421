"""Records: byte for byte what TFDS would write."""

from __future__ import annotations

import tensorflow_datasets as tfds
from tensorflow_datasets.core.example_serializer import ExampleSerializer
from tensorflow_datasets.proto import tf_example_pb2

from softnce_jax.data.code_search_net.records import to_bytes, to_features
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
