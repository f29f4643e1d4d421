"""Loading stock checkpoints; a fingerprint follows what decides the vectors, and nothing else."""

from __future__ import annotations

import json
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig

from softnce_jax.errors import InputError
from softnce_jax.pretrained.convert import to_published
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import CONFIGS, fingerprint, load
from tests.data.hostile import bounded, values
from tests.pretrained.folders import assert_same, edit, ids_of, rewrite

pytestmark = pytest.mark.interop


def test_loads_flax_weights_and_embeds_as_transformers_does(bert, bert_folder):
    encoder, params = load(bert_folder)
    assert_same(params, bert.params)
    ids = ids_of(encoder)
    mask = ids != 0
    states, pooled = map(np.asarray, jax.jit(bert.stock)(ids, mask).to_tuple())
    counts = mask.sum(axis=1, keepdims=True)
    expected = (states * mask[:, :, None]).sum(axis=1) / counts
    np.testing.assert_allclose(jax.jit(encoder.embed)(params, ids), expected, atol=5e-6)
    pooler = load(bert_folder, pooling="pooler")[0]
    np.testing.assert_allclose(jax.jit(pooler.embed)(params, ids), pooled, atol=5e-6)
    first = load(bert_folder, pooling="cls")[0]
    np.testing.assert_allclose(jax.jit(first.embed)(params, ids), states[:, 0], atol=5e-6)


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


class _LaterConfig(BertConfig):
    """As transformers 5 has it: without the fields of decoders and of relative positions."""

    def __init__(self, **values):
        super().__init__(**values)
        for name in ("is_decoder", "position_embedding_type"):
            vars(self).pop(name, None)


def test_a_configuration_need_not_have_what_is_refused(bert_folder, monkeypatch):
    expected = load(bert_folder)[1]
    monkeypatch.setitem(CONFIGS, "bert", _LaterConfig)
    assert_same(load(bert_folder)[1], expected)
    edit(bert_folder / "config.json", position_embedding_type="relative_key")
    with pytest.raises(InputError, match="relative positions"):
        load(bert_folder)


def test_missing_files_are_named(bert_folder, tmp_path):
    (bert_folder / "flax_model.msgpack").unlink()
    with pytest.raises(InputError, match=r"bert: no weights \(looked for model.safetensors, "):
        load(bert_folder)
    (bert_folder / "tokenizer.json").unlink()
    (bert_folder / "vocab.txt").unlink(missing_ok=True)  # which transformers 5 does not write
    with pytest.raises(InputError, match=r"bert: no tokenizer \(looked for tokenizer.json, vocab"):
        load(bert_folder)
    (bert_folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"config.json: missing or not JSON"):
        load(bert_folder)
    with pytest.raises(InputError, match=r"nowhere: no such folder, and not the form of a Hub id"):
        load(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file is a file: name the folder of a model or of a run"):
        load(tmp_path / "file")


def test_a_tokenizer_without_pad_token_is_an_error(bert_folder):
    settings = json.loads((bert_folder / "tokenizer_config.json").read_text())
    (bert_folder / "special_tokens_map.json").unlink(missing_ok=True)  # as vocab.txt
    edit(bert_folder / "tokenizer_config.json", pad_token=None)
    assert settings["pad_token"] == "[PAD]"
    with pytest.raises(InputError, match="the tokenizer has no pad token"):
        load(bert_folder)


def test_a_tokenizer_that_cuts_the_beginning_of_texts_is_an_error(bert_folder):
    edit(bert_folder / "tokenizer_config.json", truncation_side="right")
    load(bert_folder)
    edit(bert_folder / "tokenizer_config.json", truncation_side="left")
    with pytest.raises(InputError, match=r"bert: truncation_side 'left' cannot be applied"):
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
    except InputError as error:  # transformers 5 takes its own generic class instead
        assert "\n" not in str(error) and tokenizer_class == "Tokenizer"
    assert not canary.exists()
    exec(CANARY.format(path=str(canary)))
    assert canary.exists()


def content(file) -> dict:
    return json.loads(file.read_text())


DAMAGES = {
    "a list": ("config.json", [], "expected object, got array"),
    "a number": ("config.json", 7, "expected object, got int"),
    "a kind": ("config.json", {"model_type": ["bert"]}, "model_type is"),
    "a width": ("config.json", {"hidden_size": "48"}, "hidden_size: expected int, got str"),
    "a negative width": ("config.json", {"hidden_size": -1}, "hidden_size: expected int >= 1"),
    "heads": ("config.json", {"num_attention_heads": 7}, "is no multiple of num_attention_heads"),
    "too many layers": ("config.json", {"num_hidden_layers": 10**6}, "num_hidden_layers: expected"),
    "more layers": ("config.json", {"num_hidden_layers": 900}, "no tensors of layer 899"),
    "an epsilon": ("config.json", {"layer_norm_eps": "1"}, "layer_norm_eps: expected float"),
    "no number": ("config.json", {"layer_norm_eps": float("nan")}, "layer_norm_eps: expected"),
    "an activation": ("config.json", {"hidden_act": "none"}, "hidden_act: 'none' is none of"),
    "labels": ("config.json", {"id2label": 7}, "config.json: no configuration"),
    "few positions": ("config.json", {"max_position_embeddings": 0}, "expected int >= 1"),
    "settings": ("softnce_jax.json", [], "expected object, got array"),
    "a length": ("softnce_jax.json", {"query_length": "8"}, "query_length: expected int"),
    "no length": ("softnce_jax.json", {"code_length": 0}, "code_length: expected int >= 1"),
    "rules": ("softnce_jax.json", {"dataflow": "bogus"}, "dataflow: invalid enum value"),
    "flow": ("softnce_jax.json", {"dataflow": "published", "flow_length": 999}, "no room for text"),
    "modules": ("modules.json", [1, 2], r"[0]: expected object, got int"),
    "no path": ("modules.json", [{"type": "a.Transformer"}], "missing required field path"),
    "an object": ("modules.json", {}, "expected array, got object"),
    "outside": (
        "modules.json",
        [{"type": "a.Transformer", "path": "../x"}],
        "name of a file below",
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_files_of_a_model_are_one_line(kind, bert_folder):
    load(bert_folder)  # negative control
    name, value, message = DAMAGES[kind]
    path = bert_folder / name
    old = content(path) if path.exists() and isinstance(value, dict) else {}
    path.write_text(json.dumps(old | value if isinstance(value, dict) else value))
    with pytest.raises(InputError) as caught:
        load(bert_folder)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "softnce_jax.json", "modules.json"])
@pytest.mark.parametrize("damage", [b"", b"\xff{}", b'{"a": ', b"[" * 100_000])
def test_what_is_no_json_is_one_line(name, damage, bert_folder):
    (bert_folder / name).write_bytes(damage)
    with pytest.raises(InputError, match=f"{name}: missing or not JSON") as caught:
        load(bert_folder)
    assert "\n" not in str(caught.value)


def test_fields_that_are_not_known_are_no_matter(bert_folder):
    edit(bert_folder / "config.json", of_others=[1])
    (bert_folder / "softnce_jax.json").write_text('{"query_length": 7, "of_a_later_release": {}}')
    assert load(bert_folder)[0].query_length == 7


@bounded
@given(data=st.data())
def test_whatever_a_field_of_a_model_holds_only_input_errors_come_out(data, bert_folder):
    name = data.draw(st.sampled_from(["config.json", "softnce_jax.json", "tokenizer_config.json"]))
    path = bert_folder / name
    whole = path.read_bytes() if path.exists() else None
    fields = json.loads(whole) if whole else {"query_length": 8, "code_length": 8, "flow_length": 0}
    field = data.draw(st.sampled_from(sorted(fields)))
    path.write_text(json.dumps(fields | {field: data.draw(values)}))
    try:
        load(bert_folder)
    except InputError as error:
        assert "\n" not in str(error)
    finally:
        path.unlink() if whole is None else path.write_bytes(whole)
