"""The files of sentence-transformers say how a folder pools."""

from __future__ import annotations

import json

import numpy as np
import pytest

from softnce_jax.errors import InputError
from softnce_jax.pretrained.load import load
from tests.pretrained.folders import ids_of


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
