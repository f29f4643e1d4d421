"""DistilBERT in the one module: transformers' vectors, gradients and exports."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from transformers import DistilBertConfig

from softnce_jax.errors import InputError
from softnce_jax.pretrained.convert import as_bert_config, bert_name, to_published
from softnce_jax.pretrained.load import load
from tests.encoders.conftest import TEXTS


def ids_of(encoder, length=24):
    return encoder.tokenizer.pad(encoder.tokenizer.tokenize(TEXTS, length), length)


def pooled(states, mask):
    return (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)


def test_embeds_as_transformers_does(distilbert, distilbert_folder):
    encoder, params = load(distilbert_folder)
    ids = ids_of(encoder)
    mask = np.asarray(ids != 0, np.int32)
    states = np.asarray(distilbert(ids, mask).last_hidden_state)
    found = encoder.embed(params, ids)
    np.testing.assert_allclose(found, pooled(states, mask), atol=1e-6)
    first = load(distilbert_folder, pooling="cls")[0]
    np.testing.assert_allclose(first.embed(params, ids), states[:, 0], atol=1e-6)
    # The control: the published estimator runs without a mask, and padding reaches its vectors.
    unmasked = np.asarray(distilbert(ids, np.ones_like(mask)).last_hidden_state)
    assert np.abs(found - pooled(unmasked, mask)).max() > 1e-2


def test_every_parameter_has_the_gradient_of_transformers(distilbert, distilbert_folder):
    encoder, params = load(distilbert_folder)
    ids = ids_of(encoder)
    mask = jnp.asarray(ids != 0)
    weight_RD = jnp.asarray(np.random.default_rng(0).normal(size=(len(TEXTS), 16)), jnp.float32)

    def theirs(tree):
        return jnp.sum(weight_RD * pooled(distilbert(ids, mask, params=tree)[0], mask))

    def mine(tree):
        return jnp.sum(weight_RD * encoder.embed(tree, ids))

    ours = to_published(jax.grad(mine)(params))
    expected = to_published(jax.grad(theirs)(distilbert.params))
    assert len(expected) == len(ours) - 3  # token types, and the pooler's two
    for name, gradient in expected.items():
        # The gradient of the keys' bias is 0 but for rounding.
        atol = 1e-5 * np.abs(gradient).max() + 1e-6
        np.testing.assert_allclose(ours[bert_name(name)], gradient, atol=atol, err_msg=name)
    query, key = (ours[f"encoder.layer.0.attention.self.{n}.weight"] for n in ("query", "key"))
    assert np.abs(query - key).max() > 1e-2 * np.abs(query).max()


@pytest.mark.parametrize("prefix", ["", "distilbert."])
def test_loads_safetensors_under_a_head(prefix, distilbert, distilbert_folder):
    whole = load(distilbert_folder)[1]
    tensors = {prefix + name: tensor for name, tensor in to_published(distilbert.params).items()}
    tensors |= {"vocab_projector.bias": np.zeros(3, np.float32)}
    (distilbert_folder / "flax_model.msgpack").unlink()
    safetensors.numpy.save_file(tensors, distilbert_folder / "model.safetensors")
    jax.tree.map(np.testing.assert_array_equal, load(distilbert_folder)[1], whole)


def test_loads_what_pytorch_saved(distilbert, distilbert_folder, torch):
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
    np.testing.assert_allclose(encoder.embed(params, ids), pooled(states, mask), atol=1e-5)


def test_there_is_no_pooler(distilbert_folder):
    with pytest.raises(InputError, match="DistilBERT has no pooler; use mean or cls pooling"):
        load(distilbert_folder, pooling="pooler")


def test_a_missing_weight_is_an_error(distilbert, distilbert_folder):
    tensors = to_published(distilbert.params)
    del tensors["transformer.layer.1.ffn.lin2.bias"]
    (distilbert_folder / "flax_model.msgpack").unlink()
    safetensors.numpy.save_file(tensors, distilbert_folder / "model.safetensors")
    with pytest.raises(InputError, match=r"no tensor encoder.layer.1.output.dense.bias; use"):
        load(distilbert_folder)


def test_the_configuration_keeps_what_distilbert_says(distilbert):
    config = as_bert_config(distilbert.config)
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.2, 0.1)
    assert (config.layer_norm_eps, config.hidden_act, config.type_vocab_size) == (1e-12, "gelu", 1)
    assert (config.num_hidden_layers, config.num_attention_heads) == (2, 4)
    published = as_bert_config(DistilBertConfig())
    assert (published.hidden_size, published.intermediate_size) == (768, 3072)
    assert (published.num_hidden_layers, published.vocab_size) == (6, 30522)


def test_a_sentence_transformers_folder_tells_the_pooling(distilbert_folder):
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {"type": f"sentence_transformers.models.{kind}", "path": f"{n}_{kind}" if n else ""}
        for n, kind in enumerate(kinds)
    ]
    (distilbert_folder / "modules.json").write_text(json.dumps(modules))
    (distilbert_folder / "1_Pooling").mkdir()
    modes = json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    (distilbert_folder / "1_Pooling/config.json").write_text(modes)
    encoder, params = load(distilbert_folder)
    assert (encoder.pooling, encoder.normalize) == ("cls", True)
    lengths = np.linalg.norm(encoder.embed(params, ids_of(encoder)), axis=1)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-6)
