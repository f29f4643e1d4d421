"""Weights of every format and name; DistilBERT as the BERT that computes the same."""

from __future__ import annotations

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax.serialization import to_bytes
from transformers import DistilBertConfig

from softnce_jax.errors import InputError
from softnce_jax.pretrained.convert import (
    INDEX,
    _bert_name,
    as_bert_config,
    read_tensors,
    to_published,
)
from softnce_jax.pretrained.load import fingerprint, load
from tests.pretrained.folders import assert_same, edit, ids_of, rewrite, sharded
from tests.stock_models import TEXTS

pytestmark = pytest.mark.interop


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


def test_loads_weights_in_several_files(bert, bert_folder):
    whole = load(bert_folder)[1]
    tensors = to_published(bert.params)
    sharded(bert_folder, tensors)
    assert_same(load(bert_folder)[1], whole)
    before = fingerprint(bert_folder)
    (last,) = bert_folder.glob("model-00003*")
    part = safetensors.numpy.load_file(last)
    safetensors.numpy.save_file({name: -tensor for name, tensor in part.items()}, last)
    assert fingerprint(bert_folder) != before
    # A file with all of them comes first, as in transformers.
    safetensors.numpy.save_file(tensors, bert_folder / "model.safetensors")
    assert_same(load(bert_folder)[1], whole)


def damaged_shards(folder, index, kind):
    first, second, _ = sorted(folder.glob("model-0*"))
    tensors = safetensors.numpy.load_file(first)
    name, tensor = next(iter(tensors.items()))
    if kind == "gone":
        first.unlink()
    elif kind == "torn":
        first.write_bytes(first.read_bytes()[:-9])
    elif kind == "untold":
        safetensors.numpy.save_file(tensors | {"more": tensor}, first)
    elif kind == "elsewhere":
        safetensors.numpy.save_file({key: tensors[key] for key in tensors if key != name}, first)
        others = safetensors.numpy.load_file(second)
        safetensors.numpy.save_file(others | {name: tensor}, second)
    elif kind == "infinite":
        safetensors.numpy.save_file(tensors | {name: tensor * np.inf}, first)
    elif kind == "outside":
        first.rename(folder.parent / first.name)
        placed = {
            key: f"../{file}" if file == first.name else file
            for key, file in index["weight_map"].items()
        }
        (folder / INDEX).write_text(json.dumps({"weight_map": placed}))
    elif kind == "no index":
        (folder / INDEX).write_text(json.dumps({"weight_map": [first.name]}))
    else:  # named by no line of the index
        index["weight_map"].pop(name)
        (folder / INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gone", r"model-00001-of-00003.safetensors: missing, but model.safetensors.index.json"),
        ("torn", r"model-00001-of-00003.safetensors: not a whole safetensors file"),
        ("untold", r"00001-of-00003.safetensors: a tensor more, which model.safetensors.index"),
        ("elsewhere", r"00001-of-00003.safetensors: no tensor .*, which model.safetensors.index"),
        ("infinite", r"model.safetensors.index.json: .* is not finite"),
        ("outside", r"index.json: '../model-00001-of-00003.safetensors' is not the name of a f"),
        ("no index", r"index.json: weight_map: expected object, got array"),
        ("unnamed", r"00001-of-00003.safetensors: a tensor .*, which model.safetensors.index"),
    ],
)
def test_shards_that_are_not_what_their_index_says_are_one_line(kind, message, bert, bert_folder):
    index = sharded(bert_folder, to_published(bert.params))
    load(bert_folder)
    damaged_shards(bert_folder, index, kind)
    with pytest.raises(InputError, match=message) as caught:
        load(bert_folder)
    assert "\n" not in str(caught.value)


def test_loads_the_shards_that_transformers_saved(bert, bert_folder, torch):
    from transformers import BertModel

    (bert_folder / "flax_model.msgpack").unlink()
    model = BertModel(bert.config)
    model.save_pretrained(bert_folder)
    whole = load(bert_folder)[1]
    (bert_folder / "model.safetensors").unlink()
    model.save_pretrained(bert_folder, max_shard_size="8KB")
    assert len([*bert_folder.glob("model-0*.safetensors")]) > 2
    assert_same(load(bert_folder)[1], whole)


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
    difference = np.abs(jax.jit(encoder.embed)(params, ids) - expected.pooler_output.numpy())
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


def pooled(states, mask):
    return (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)


def test_distilbert_embeds_as_transformers_does(distilbert, distilbert_folder):
    encoder, params = load(distilbert_folder)
    ids = ids_of(encoder)
    mask = np.asarray(ids != 0, np.int32)
    stock = jax.jit(distilbert.stock)
    states = np.asarray(stock(ids, mask).last_hidden_state)
    found = np.asarray(jax.jit(encoder.embed)(params, ids))
    np.testing.assert_allclose(found, pooled(states, mask), atol=1e-6)
    first = load(distilbert_folder, pooling="cls")[0]
    np.testing.assert_allclose(jax.jit(first.embed)(params, ids), states[:, 0], atol=2e-6)
    # The control: the published estimator runs without a mask, and padding reaches its vectors.
    unmasked = np.asarray(stock(ids, np.ones_like(mask)).last_hidden_state)
    assert np.abs(found - pooled(unmasked, mask)).max() > 1e-2


def test_every_distilbert_parameter_has_the_gradient_of_transformers(distilbert, distilbert_folder):
    encoder, params = load(distilbert_folder)
    ids = ids_of(encoder)
    mask = ids != 0
    weight_RD = np.random.default_rng(0).normal(size=(len(TEXTS), 16)).astype(np.float32)

    def theirs(tree):
        return jnp.sum(weight_RD * pooled(distilbert.stock(ids, mask, params=tree)[0], mask))

    def mine(tree):
        return jnp.sum(weight_RD * encoder.embed(tree, ids))

    ours = to_published(jax.jit(jax.grad(mine))(params))
    expected = to_published(jax.jit(jax.grad(theirs))(distilbert.params))
    assert len(expected) == len(ours) - 3  # token types, and the pooler's two
    for name, gradient in expected.items():
        # The gradient of the keys' bias is 0 but for rounding.
        atol = 1e-5 * np.abs(gradient).max() + 1e-6
        np.testing.assert_allclose(ours[_bert_name(name)], gradient, atol=atol, err_msg=name)
    query, key = (ours[f"encoder.layer.0.attention.self.{n}.weight"] for n in ("query", "key"))
    assert np.abs(query - key).max() > 1e-2 * np.abs(query).max()


@pytest.mark.parametrize("prefix", ["", "distilbert."])
def test_distilbert_loads_safetensors_under_a_head(prefix, distilbert, distilbert_folder):
    whole = load(distilbert_folder)[1]
    tensors = {prefix + name: tensor for name, tensor in to_published(distilbert.params).items()}
    tensors |= {"vocab_projector.bias": np.zeros(3, np.float32)}
    (distilbert_folder / "flax_model.msgpack").unlink()
    safetensors.numpy.save_file(tensors, distilbert_folder / "model.safetensors")
    jax.tree.map(np.testing.assert_array_equal, load(distilbert_folder)[1], whole)


def test_distilbert_loads_what_pytorch_saved(distilbert, distilbert_folder, torch):
    from transformers import DistilBertModel

    (distilbert_folder / "flax_model.msgpack").unlink()
    torch.manual_seed(0)
    model = DistilBertModel(distilbert.config).eval()
    model.save_pretrained(distilbert_folder)
    encoder, params = load(distilbert_folder)
    ids = ids_of(encoder)
    mask = 1 * (ids != 0)
    with torch.no_grad():
        states = model(torch.tensor(ids.astype(int)), torch.tensor(mask)).last_hidden_state.numpy()
    np.testing.assert_allclose(jax.jit(encoder.embed)(params, ids), pooled(states, mask), atol=1e-5)


def test_distilbert_has_no_pooler(distilbert_folder):
    with pytest.raises(InputError, match="DistilBERT has no pooler; use mean or cls pooling"):
        load(distilbert_folder, pooling="pooler")


def test_distilbert_a_missing_weight_is_an_error(distilbert, distilbert_folder):
    tensors = to_published(distilbert.params)
    del tensors["transformer.layer.1.ffn.lin2.bias"]
    (distilbert_folder / "flax_model.msgpack").unlink()
    safetensors.numpy.save_file(tensors, distilbert_folder / "model.safetensors")
    with pytest.raises(InputError, match=r"no tensor encoder.layer.1.output.dense.bias; use"):
        load(distilbert_folder)


def test_bert_configuration_keeps_the_values_of_distilbert(distilbert):
    config = as_bert_config(distilbert.config)
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.2, 0.1)
    assert (config.layer_norm_eps, config.hidden_act, config.type_vocab_size) == (1e-12, "gelu", 1)
    assert (config.num_hidden_layers, config.num_attention_heads) == (2, 4)
    published = as_bert_config(DistilBertConfig())
    assert (published.hidden_size, published.intermediate_size) == (768, 3072)
    assert (published.num_hidden_layers, published.vocab_size) == (6, 30522)
