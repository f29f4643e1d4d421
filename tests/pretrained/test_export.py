"""Exports: other libraries compute the same vectors; an export is whole or not there."""

from __future__ import annotations

import dataclasses
import functools
import json

import jax
import numpy as np
import pytest
import safetensors.numpy
import transformers
from transformers import AutoTokenizer

from softnce_jax.errors import InputError
from softnce_jax.pretrained import export
from softnce_jax.pretrained.convert import to_published
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.tiny import TinyConfig, tiny
from tests.pretrained.folders import assert_same
from tests.stock_models import TEXTS

pytestmark = pytest.mark.interop


@functools.cache
def tiny_model():
    sizes = TinyConfig(vocab_size=300, hidden_size=16)
    return tiny(TEXTS, key=jax.random.key(1), sizes=sizes)


def tiny_case(request):
    return tiny_model()


def unixcoder_case(request):
    return load(request.getfixturevalue("roberta_folder"))


def codebert_case(request):
    return load(request.getfixturevalue("roberta_folder"), pooling="pooler")


def bert_case(request):
    encoder, params = load(request.getfixturevalue("bert_folder"), pooling="cls")
    return dataclasses.replace(encoder, normalize=True, query_length=7), params


def distilbert_case(request):
    return load(request.getfixturevalue("distilbert_folder"))


CASES = [tiny_case, unixcoder_case, codebert_case, bert_case, distilbert_case]


@pytest.fixture(scope="module")
def made():
    return {}


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def case(request, made):
    """An encoder and its parameters, of each kind; tests share them."""
    if request.param not in made:
        made[request.param] = request.param(request)
    return made[request.param]


def vectors(encoder, params):
    ids = encoder.tokenizer.pad(encoder.tokenizer.tokenize(TEXTS, 24), 24)
    return np.asarray(jax.jit(encoder.embed)(params, ids))


def test_loading_an_export_loses_nothing(case, tmp_path):
    encoder, params = case
    export_model(tmp_path / "model", encoder, params)
    loaded, again = load(tmp_path / "model")
    np.testing.assert_array_equal(vectors(loaded, again), vectors(encoder, params))
    jax.tree.map(np.testing.assert_array_equal, again, params)
    for field in ("pooling", "normalize", "query_length", "code_length", "max_length"):
        assert getattr(loaded, field) == getattr(encoder, field)
    assert loaded.tokenizer.head == encoder.tokenizer.head
    assert loaded.tokenizer.pad_id == encoder.tokenizer.pad_id


def test_the_tokenizer_alone_gives_the_same_ids(case, tmp_path):
    encoder, params = case
    export_model(tmp_path / "model", encoder, params)
    odd = [*TEXTS, " <mask> x<s>y [MASK]  [SEP]", "<encoder-only> sort\tSort\n "]
    fast = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert fast(odd)["input_ids"] == encoder.tokenizer.tokenize(odd, 999)
    assert fast.model_max_length == encoder.max_length


def test_transformers_own_reader_gets_the_same_parameters(case, tmp_path):
    encoder, params = case
    export_model(tmp_path / "model", encoder, params)
    config = json.loads((tmp_path / "model/config.json").read_text())
    kind = f"Flax{config['architectures'][0]}"
    if not hasattr(transformers, kind):
        pytest.skip(f"transformers {transformers.__version__} has no Flax (parity with Flax)")
    model = getattr(transformers, kind).from_pretrained(tmp_path / "model")
    jax.tree.map(np.testing.assert_array_equal, model.params, params)


def test_pytorch_gives_the_same_vectors(case, tmp_path, torch):
    from transformers import AutoModel

    encoder, params = case
    export_model(tmp_path / "model", encoder, params)
    fast = AutoTokenizer.from_pretrained(tmp_path / "model")
    rows = fast(TEXTS, padding=True, truncation=True, max_length=24, return_tensors="pt")
    with torch.no_grad():
        output = AutoModel.from_pretrained(tmp_path / "model").eval()(**rows)
    weight = rows["attention_mask"][:, :, None]
    states = output.last_hidden_state
    vector = {
        "mean": (states * weight).sum(1) / weight.sum(1),
        "cls": states[:, 0],
        "pooler": output.pooler_output,
    }[encoder.pooling].numpy()
    if encoder.normalize:
        length = np.linalg.norm(vector, axis=1, keepdims=True)
        vector = vector / np.maximum(length, 1e-12)  # an empty text may have no vector
    ours = vectors(encoder, params)
    assert np.abs(vector - ours).max() < 1e-5
    assert np.abs(vector[0] - ours[1]).max() > 1e-3


def test_sentence_transformers_gives_the_same_vectors(case, tmp_path):
    library = pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed (parity of exports)"
    )
    encoder, params = case
    export_model(tmp_path / "model", encoder, params)
    model = library.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert model.max_seq_length == encoder.code_length
    model.max_seq_length = 24
    assert np.abs(model.encode(TEXTS) - vectors(encoder, params)).max() < 1e-5


def test_an_export_replaces_the_one_before(tmp_path):
    encoder, params = tiny_model()
    folder = tmp_path / "run/model"
    export_model(folder, encoder, params)
    (folder / "stray").touch()
    changed = jax.tree.map(lambda leaf: leaf + 1.0, params)
    export_model(folder, encoder, changed)
    jax.tree.map(np.testing.assert_array_equal, load(folder)[1], changed)
    assert not (folder / "stray").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_stopped_export_leaves_the_one_before(tmp_path, monkeypatch):
    encoder, params = tiny_model()
    export_model(tmp_path / "model", encoder, params)

    def stop(folder, encoder):
        raise KeyboardInterrupt

    changed = jax.tree.map(lambda leaf: leaf + 1.0, params)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(export, "_write_tokenizer", stop)
        export_model(tmp_path / "model", encoder, changed)
    jax.tree.map(np.testing.assert_array_equal, load(tmp_path / "model")[1], params)
    export_model(tmp_path / "model", encoder, changed)
    jax.tree.map(np.testing.assert_array_equal, load(tmp_path / "model")[1], changed)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_exporting_does_not_change_the_encoder(tmp_path):
    encoder, params = tiny_model()
    before = encoder.config.to_dict(), encoder.tokenizer.fast.backend_tokenizer.to_str()
    export_model(tmp_path / "model", encoder, params)
    assert before == (encoder.config.to_dict(), encoder.tokenizer.fast.backend_tokenizer.to_str())


def test_a_file_that_changed_since_is_told(tmp_path):
    folder = tmp_path / "model"
    export_model(folder, *tiny_model())
    params = load(folder)[1]
    files = sorted(path for path in folder.rglob("*.*"))
    assert {"model.safetensors", "tokenizer.json", "modules.json"} <= {f.name for f in files}
    for path in files:
        whole = path.read_bytes()
        for changed in (whole[:-1], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], None):
            path.unlink() if changed is None else path.write_bytes(changed)
            with pytest.raises(InputError, match=rf"{path}: missing"):
                load(folder)
            path.write_bytes(whole)
    assert_same(load(folder)[1], params)


def test_who_changes_an_export_on_purpose_removes_its_digests(tmp_path):
    folder = tmp_path / "model"
    encoder, params = tiny_model()
    export_model(folder, encoder, params)
    safetensors.numpy.save_file(
        {name: -tensor for name, tensor in to_published(params).items()},
        folder / "model.safetensors",
    )
    (folder / "SHA256SUMS").unlink()
    assert_same(load(folder)[1], jax.tree.map(lambda leaf: -leaf, params))
