"""A fingerprint follows what decides the vectors, and nothing else; a run is its model."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from softnce_jax.errors import InputError
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import fingerprint, load


def test_the_place_does_not_matter(bert_folder, tmp_path):
    copy = shutil.copytree(bert_folder, tmp_path / "copy")
    (copy / "README.md").write_text("read me")
    (copy / "pytorch_model.bin").write_text("not read: the Flax weights come first")
    assert fingerprint(copy) == fingerprint(str(bert_folder))


@pytest.mark.parametrize("name", ["flax_model.msgpack", "config.json", "tokenizer.json"])
def test_any_changed_byte_matters(name, bert_folder):
    before = fingerprint(bert_folder)
    content = (bert_folder / name).read_bytes()
    (bert_folder / name).write_bytes(content[:-1] + b" ")
    assert fingerprint(bert_folder) != before


def test_pooling_and_lengths_of_an_export_matter(bert_folder, tmp_path):
    encoder, params = load(bert_folder)
    export_model(tmp_path / "model", encoder, params)
    before = fingerprint(tmp_path / "model")
    lengths = tmp_path / "model" / "softnce_jax.json"
    lengths.write_text(json.dumps({"query_length": 9, "code_length": 10}))
    middle = fingerprint(tmp_path / "model")
    (tmp_path / "model" / "modules.json").unlink()
    assert len({before, middle, fingerprint(tmp_path / "model")}) == 3


def test_a_run_is_its_model(bert_folder, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (run / name).write_text("{}")
    with pytest.raises(InputError, match=f"{run}: the run is not finished"):
        fingerprint(run)
    export_model(run / "model", *load(bert_folder))
    assert fingerprint(run) == fingerprint(run / "model")
    ids = [[2, 5, 3]]
    encoder, params = load(run)
    np.testing.assert_array_equal(
        encoder.embed(params, ids), load(bert_folder)[0].embed(params, ids)
    )


def test_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        fingerprint(tmp_path / "nowhere")
