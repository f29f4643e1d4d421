from __future__ import annotations

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax.serialization import to_bytes
from huggingface_hub import constants

from softnce_jax.encoders.encoder import unit_length
from softnce_jax.errors import InputError
from softnce_jax.pretrained import hub
from softnce_jax.pretrained.convert import read_tensors, to_published
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.presets import PRESETS, preset
from tests.encoders.conftest import TEXTS


def edit(path: Path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def rewrite(folder: Path, tensors):
    """Puts these tensors in the place of the folder's Flax weights."""
    (folder / "flax_model.msgpack").unlink()
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def assert_same(params, expected):
    assert jax.tree.structure(params) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, params, expected)


def ids_of(encoder, length=24):
    return encoder.tokenizer.pad(encoder.tokenizer.tokenize(TEXTS, length), length)


def test_loads_flax_weights_and_embeds_as_transformers_does(bert, bert_folder):
    encoder, params = load(bert_folder)
    assert_same(params, bert.params)
    ids = ids_of(encoder)
    mask = jnp.asarray(ids != 0)
    states = np.asarray(bert(ids, mask).last_hidden_state)
    counts = mask.sum(axis=1, keepdims=True)
    expected = (states * mask[:, :, None]).sum(axis=1) / counts
    np.testing.assert_allclose(encoder.embed(params, ids), expected, atol=1e-6)
    pooler = load(bert_folder, pooling="pooler")[0]
    np.testing.assert_array_equal(pooler.embed(params, ids), bert(ids, mask).pooler_output)
    first = load(bert_folder, pooling="cls")[0]
    np.testing.assert_array_equal(first.embed(params, ids), states[:, 0])


def test_positions_are_those_of_transformers(roberta, roberta_folder):
    encoder, params = load(roberta_folder, pooling="pooler")
    ids = ids_of(encoder)
    ids[1, 3] = 1  # text that spells <pad>
    expected = roberta(ids, jnp.asarray(ids != 1)).pooler_output
    np.testing.assert_array_equal(encoder.embed(params, ids), expected)
    mask = jnp.asarray(ids != 1)
    shifted = encoder.states(params, jnp.asarray(ids), mask, encoder.positions(mask) + 1)
    assert np.abs(encoder.pool(params, shifted, mask) - expected).max() > 1e-2


def test_the_vector_does_not_depend_on_the_padding(roberta_folder):
    encoder, params = load(roberta_folder)
    narrow, wide = (encoder.embed(params, ids_of(encoder, length)) for length in (24, 38))
    np.testing.assert_allclose(narrow[::2], wide[::2], atol=1e-5)
    assert np.abs(narrow[3] - wide[3]).max() > 1e-2  # this text was cut at 24


def test_a_key_drops_and_no_key_does_not(roberta_folder):
    encoder, params = load(roberta_folder)
    ids = ids_of(encoder)
    embed = jax.jit(encoder.embed)
    first, again = (embed(params, ids, key=jax.random.key(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - embed(params, ids)).max() > 1e-3
    assert np.abs(first - embed(params, ids, key=jax.random.key(2))).max() > 1e-3


@pytest.mark.parametrize("prefix", ["", "roberta.", "encoder."])
def test_loads_safetensors_with_any_prefix_and_a_head(prefix, roberta, roberta_folder):
    tensors = {prefix + name: tensor for name, tensor in to_published(roberta.params).items()}
    tensors |= {"lm_head.bias": np.zeros(3, np.float32)}
    tensors |= {f"{prefix}embeddings.position_ids": np.arange(40)[None]}
    rewrite(roberta_folder, tensors)
    assert_same(load(roberta_folder)[1], roberta.params)


def test_loads_flax_weights_under_a_head(roberta, roberta_folder):
    tree = {"roberta": roberta.params, "lm_head": {"bias": np.zeros(3)}}
    (roberta_folder / "flax_model.msgpack").write_bytes(to_bytes(tree))
    assert_same(load(roberta_folder)[1], roberta.params)


def test_loads_the_old_names_of_layer_norm(bert, bert_folder):
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = to_published(bert.params)
    for new, name in old.items():
        tensors = {key.replace(new, name): tensor for key, tensor in tensors.items()}
    rewrite(bert_folder, tensors)
    assert_same(load(bert_folder)[1], bert.params)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_weights_become_float32(dtype, bert, bert_folder):
    half = {name: t.astype(jnp.dtype(dtype)) for name, t in to_published(bert.params).items()}
    rewrite(bert_folder, half)
    params = load(bert_folder)[1]
    expected = jax.tree.map(lambda leaf: leaf.astype(dtype).astype("float32"), bert.params)
    assert_same(params, expected)


@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_loads_what_pytorch_saved(kind, request, torch):
    from transformers import BertModel, RobertaModel

    folder = request.getfixturevalue(f"{kind}_folder")
    (folder / "flax_model.msgpack").unlink()
    torch.manual_seed(0)
    config = request.getfixturevalue(kind).config
    model = {"bert": BertModel, "roberta": RobertaModel}[kind](config).eval()
    model.save_pretrained(folder)
    encoder, params = load(folder, pooling="pooler")
    ids = ids_of(encoder)
    with torch.no_grad():
        expected = model(
            *(torch.tensor(x) for x in (ids.astype(int), 1 * (ids != encoder.tokenizer.pad_id)))
        )
    difference = np.abs(encoder.embed(params, ids) - expected.pooler_output.numpy())
    assert difference.max() < 1e-5
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    assert_same(load(folder)[1], params)


def test_bin_weights_without_torch_say_what_to_install(roberta_folder, monkeypatch):
    (roberta_folder / "flax_model.msgpack").rename(roberta_folder / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pytorch_model.bin: .*pip install torch"):
        read_tensors(roberta_folder)


@pytest.mark.parametrize("name", ["model.safetensors", "flax_model.msgpack", "pytorch_model.bin"])
def test_damaged_weights_name_the_file(name, roberta_folder, request):
    if name.endswith(".bin"):
        request.getfixturevalue("torch")
    weights = roberta_folder / "flax_model.msgpack"
    half = weights.read_bytes()[:5000]
    weights.unlink()
    (roberta_folder / name).write_bytes(half)
    with pytest.raises(InputError, match=f"{name}: not a whole .*fetch it anew") as caught:
        load(roberta_folder)
    assert "\n" not in str(caught.value)


def test_a_missing_weight_is_an_error(bert, bert_folder):
    tensors = to_published(bert.params)
    del tensors["encoder.layer.1.output.dense.bias"]
    rewrite(bert_folder, tensors)
    with pytest.raises(InputError, match=r"no tensor encoder.layer.1.output.dense.bias; use"):
        load(bert_folder)


def test_a_missing_pooler_matters_only_where_it_is_used(bert, bert_folder):
    tensors = to_published(bert.params)
    whole = load(bert_folder)
    rewrite(bert_folder, {name: t for name, t in tensors.items() if "pooler" not in name})
    encoder, params = load(bert_folder)
    assert not params["pooler"]["dense"]["kernel"].any()
    ids = ids_of(encoder)
    np.testing.assert_array_equal(encoder.embed(params, ids), whole[0].embed(whole[1], ids))
    with pytest.raises(InputError, match=r"no tensor pooler.dense.* and 1 more; use"):
        load(bert_folder, pooling="pooler")


def test_weights_of_another_shape_are_an_error(bert_folder):
    edit(bert_folder / "config.json", intermediate_size=31)
    with pytest.raises(
        ValueError, match=r"dense.bias has shape \(64,\), config.json asks for \(31,\)"
    ):
        load(bert_folder)


def test_weights_of_another_network_are_an_error(bert_folder):
    rewrite(bert_folder, {"conv.weight": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match=r"0 tensors are called .*word_embeddings.weight, not 1"):
        load(bert_folder)


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


def test_rows_longer_than_the_network_are_an_error(roberta_folder):
    encoder, params = load(roberta_folder)
    assert encoder.max_length == encoder.code_length == 38
    with pytest.raises(InputError, match="39 tokens a row, but the model has 38 positions"):
        encoder.embed(params, np.zeros((1, 39), np.int32))


def test_a_hub_id_is_taken_from_the_cache_only(roberta, roberta_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        ValueError, match=r"revision refs/pr/5 is not in .*fetch it with --download"
    ):
        load("unixcoder")
    repository = tmp_path / "models--microsoft--unixcoder-base"
    (repository / "refs/refs/pr").mkdir(parents=True)
    (repository / "refs/refs/pr/5").write_text("f00")
    (repository / "snapshots").mkdir()
    roberta_folder.rename(repository / "snapshots/f00")
    encoder, params = load("unixcoder")
    assert_same(params, roberta.params)
    assert encoder.pooling == "mean"
    assert encoder.tokenizer.fast.convert_ids_to_tokens(encoder.tokenizer.head) == [
        "<s>", "<encoder-only>", "</s>",
    ]  # fmt: skip
    with pytest.raises(InputError, match="revision main is not in the Hub cache"):
        load("unixcoder", revision="main")


def test_download_fetches_one_weight_file(roberta_folder, monkeypatch):
    asked = {}

    def snapshot(name, **options):
        asked.update(options, name=name)
        return str(roberta_folder)

    files = ["config.json", "pytorch_model.bin", "flax_model.msgpack", "tf_model.h5"]
    monkeypatch.setattr(hub.HfApi, "list_repo_files", lambda self, name, revision: files)
    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    load("codebert", download=True)
    assert (asked["name"], asked["revision"]) == (
        "microsoft/codebert-base",
        preset("codebert").revision,
    )
    assert asked["allow_patterns"] == [*hub.SMALL_FILES, "flax_model.msgpack"]


def test_download_offline_says_so_in_one_line():
    with pytest.raises(InputError, match=r"codebert-base \(revision .*cannot be fetched") as caught:
        load("codebert", download=True)
    assert "\n" not in str(caught.value)


def test_a_copy_of_unixcoder_gets_its_prefix(roberta_folder):
    encoder, _ = load(roberta_folder)
    marker = encoder.tokenizer.fast.convert_tokens_to_ids("<encoder-only>")
    assert encoder.tokenizer.head == [0, marker, 2]
    assert encoder.tokenizer.tail == [2]


def sentence_files(folder, modes, kinds=("Transformer", "Pooling")):
    modules = [
        {"type": f"sentence_transformers.models.{kind}", "path": f"{n}_{kind}" if n else ""}
        for n, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling/config.json").write_text(json.dumps(modes))


@pytest.mark.parametrize("modes", [{"pooling_mode_cls_token": True}, {"pooling_mode": "cls"}])
def test_sentence_transformers_files_tell_the_pooling(modes, bert_folder):
    sentence_files(bert_folder, modes, ("Transformer", "Pooling", "Normalize"))
    encoder, params = load(bert_folder)
    assert (encoder.pooling, encoder.normalize) == ("cls", True)
    vectors = encoder.embed(params, ids_of(encoder))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)
    assert load(bert_folder, pooling="mean")[0].pooling == "mean"


def test_other_sentence_transformers_chains_are_an_error(bert_folder):
    sentence_files(bert_folder, {"pooling_mode_max_tokens": True})
    with pytest.raises(InputError, match=r"pools by \['pooling_mode_max_tokens'\]; only mean or"):
        load(bert_folder)
    sentence_files(bert_folder, {"pooling_mode": "mean"}, ("Transformer", "CNN"))
    with pytest.raises(InputError, match="cannot compute the chain Transformer → CNN"):
        load(bert_folder)
    kinds = ("Transformer", "Pooling", "Dense", "Dense", "Normalize")
    sentence_files(bert_folder, {"pooling_mode": "mean"}, kinds)
    with pytest.raises(InputError, match="Pooling → Dense → Dense → Normalize"):
        load(bert_folder)


def test_unit_length_has_no_gradient_at_zero():
    vectors = jnp.array([[0.0, 0.0], [3.0, 4.0]])
    gradient = jax.grad(lambda vectors: jnp.sum(unit_length(vectors)))(vectors)
    np.testing.assert_array_equal(gradient[0], 0)
    # Of x / |x| at (3, 4), both outputs added: what of (1, 1) lies across it, over its length.
    np.testing.assert_allclose(gradient[1], [4 / 125, -3 / 125], rtol=1e-5)


def test_an_unknown_pooling_is_an_error(bert_folder):
    with pytest.raises(InputError, match=r"pooling must be one of .* got 'max'"):
        load(bert_folder, pooling="max")


def test_presets_are_those_of_the_paper():
    assert preset("unixcoder").batch_size == 64
    assert preset("microsoft/codebert-base") == PRESETS["codebert"]
    other = preset("runs/one/model")
    assert (other.checkpoint, other.query_length, other.code_length) == ("runs/one/model", 128, 256)
    assert (other.learning_rate, other.batch_size, other.epochs) == (2e-5, 32, 10)


def test_tiny_has_no_checkpoint():
    with pytest.raises(InputError, match="tiny has no checkpoint"):
        load("tiny")
