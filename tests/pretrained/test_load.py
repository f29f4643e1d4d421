"""Loading stock checkpoints; a fingerprint follows what decides the vectors, and nothing else."""

from __future__ import annotations

import json
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy

from softnce_jax.errors import InputError
from softnce_jax.pretrained.convert import to_published
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import fingerprint, load
from tests.pretrained.folders import assert_same, edit, ids_of, rewrite


def test_loads_flax_weights_and_embeds_as_transformers_does(bert, bert_folder):
    encoder, params = load(bert_folder)
    assert_same(params, bert.params)
    ids = ids_of(encoder)
    mask = ids != 0
    states, pooled = map(np.asarray, jax.jit(bert)(ids, mask).to_tuple())
    counts = mask.sum(axis=1, keepdims=True)
    expected = (states * mask[:, :, None]).sum(axis=1) / counts
    np.testing.assert_allclose(jax.jit(encoder.embed)(params, ids), expected, atol=1e-6)
    pooler = load(bert_folder, pooling="pooler")[0]
    np.testing.assert_array_equal(jax.jit(pooler.embed)(params, ids), pooled)
    first = load(bert_folder, pooling="cls")[0]
    np.testing.assert_array_equal(jax.jit(first.embed)(params, ids), states[:, 0])


def test_a_missing_pooler_matters_only_where_it_is_used(bert, bert_folder):
    tensors = to_published(bert.params)
    whole = load(bert_folder)
    rewrite(bert_folder, {name: t for name, t in tensors.items() if "pooler" not in name})
    encoder, params = load(bert_folder)
    assert not params["pooler"]["dense"]["kernel"].any()
    ids = ids_of(encoder)
    found, expected = jax.jit(encoder.embed)(params, ids), jax.jit(whole[0].embed)(whole[1], ids)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match=r"no tensor pooler.dense.* and 1 more; use"):
        load(bert_folder, pooling="pooler")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model_type": "gpt2"},
            "'gpt2'; use a RoBERTa, BERT or DistilBERT checkpoint",
        ),
        ({"position_embedding_type": "relative_key"}, "relative positions"),
        ({"is_decoder": True}, "a decoder"),
        ({"vocab_size": 12}, "the tokenizer has 3. tokens, the model's vocab_size is 12"),
    ],
)
def test_other_architectures_are_an_error(values, message, bert_folder):
    edit(bert_folder / "config.json", **values)
    with pytest.raises(InputError, match=message):
        load(bert_folder)


def test_missing_files_are_named(bert_folder, tmp_path):
    (bert_folder / "flax_model.msgpack").unlink()
    with pytest.raises(InputError, match=r"bert: no weights \(looked for model.safetensors, "):
        load(bert_folder)
    (bert_folder / "tokenizer.json").unlink()
    (bert_folder / "vocab.txt").unlink()
    with pytest.raises(InputError, match=r"no tokenizer can be loaded .*put its tokenizer.json"):
        load(bert_folder)
    (bert_folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"config.json: missing or not JSON"):
        load(bert_folder)
    with pytest.raises(InputError, match=r"nowhere: no such folder, and not the form of a Hub id"):
        load(tmp_path / "nowhere")


def test_a_tokenizer_without_pad_token_is_an_error(bert_folder):
    settings = json.loads((bert_folder / "tokenizer_config.json").read_text())
    (bert_folder / "special_tokens_map.json").unlink()
    edit(bert_folder / "tokenizer_config.json", pad_token=None)
    assert settings["pad_token"] == "[PAD]"
    with pytest.raises(InputError, match="the tokenizer has no pad token"):
        load(bert_folder)


def test_roberta_needs_one_pad_id(roberta_folder):
    edit(roberta_folder / "config.json", pad_token_id=0)
    with pytest.raises(InputError, match=r"pad id is 1, config.json's pad_token_id 0"):
        load(roberta_folder)


def test_a_copy_of_unixcoder_gets_its_prefix(roberta_folder):
    encoder, _ = load(roberta_folder)
    marker = encoder.tokenizer.fast.convert_tokens_to_ids("<encoder-only>")
    assert encoder.tokenizer.head == [0, marker, 2]
    assert encoder.tokenizer.tail == [2]


def test_tiny_has_no_checkpoint():
    with pytest.raises(InputError, match="tiny has no checkpoint"):
        load("tiny")


def test_the_location_does_not_matter(bert_folder, tmp_path):
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
    ids = np.array([[2, 5, 3]])
    encoder, params = load(run)
    found, expected = (jax.jit(e.embed)(params, ids) for e in (encoder, load(bert_folder)[0]))
    np.testing.assert_array_equal(found, expected)


def test_a_checkpoint_that_is_not_there_has_no_fingerprint(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        fingerprint(tmp_path / "nowhere")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_weights_that_are_not_finite_are_an_error(bert, bert_folder, value, dtype):
    tensors = {name: tensor.astype(dtype) for name, tensor in to_published(bert.params).items()}
    name = "encoder.layer.0.output.dense.weight"
    rewrite(bert_folder, tensors)
    load(bert_folder)
    tensors[name][3, 5] = value
    safetensors.numpy.save_file(tensors, bert_folder / "model.safetensors")
    with pytest.raises(InputError, match=rf"model.safetensors: {name} is not finite"):
        load(bert_folder)


CANARY = """
import pathlib
pathlib.Path({path!r}).touch()
from transformers import BertConfig as Config, BertTokenizerFast as Tokenizer
"""


@pytest.mark.parametrize("tokenizer_class", ["Tokenizer", "BertTokenizerFast"])
@pytest.mark.parametrize("repository", ["", "someone/else--"])
def test_code_in_a_folder_is_not_run(tokenizer_class, repository, bert_folder, monkeypatch):
    """Nor is anybody asked whether to run it: there may be nobody to answer."""
    canary = bert_folder / "canary"
    (bert_folder / "evil.py").write_text(CANARY.format(path=str(canary)))
    names = {"AutoConfig": f"{repository}evil.Config"}
    edit(bert_folder / "config.json", auto_map=names)
    names["AutoTokenizer"] = [None, f"{repository}evil.Tokenizer"]
    path = bert_folder / "tokenizer_config.json"
    edit(path, auto_map=names, tokenizer_class=tokenizer_class)
    monkeypatch.setattr("builtins.input", lambda *_: canary.touch() or "y")
    try:
        load(bert_folder)
    except InputError as error:
        assert "\n" not in str(error) and tokenizer_class == "Tokenizer"
    else:
        assert tokenizer_class == "BertTokenizerFast"  # negative control: one that is known
    assert not canary.exists()
    exec(CANARY.format(path=str(canary)))
    assert canary.exists()
