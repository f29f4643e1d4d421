"""Folders of static models: written, read back, read from others' layouts, refused by name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer as Backend
from tokenizers import models

from softnce_jax import load_encoder, load_static
from softnce_jax.encoders.static import StaticTextEncoder, Table
from softnce_jax.encoders.static_encoder import StaticEncoder
from softnce_jax.errors import InputError
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import fingerprint, load
from softnce_jax.pretrained.presets import PRESETS, preset
from softnce_jax.pretrained.static import write_static
from tests.pretrained.folders import edit
from tests.small_model import write_model
from tests.small_static import small_static

pytestmark = pytest.mark.interop

CODES = ["def getMaxValue(xs):\n    return max(xs)", "def open_file(path): return open(path)"] * 2
TEXTS = [
    "get the max value",
    "",
    "größe 数 é naïve",
    "<unk> and <s> are spelt, getMaxValue is split",
    "open file " * 10_000,
    "\x00 \t odd",
]


def a_model(**options) -> StaticTextEncoder:
    return small_static(CODES + TEXTS[:3], **options)


@pytest.fixture(scope="module")
def model():
    return a_model()


@pytest.fixture
def folder(model, tmp_path):
    write_static(tmp_path / "model", model)
    (tmp_path / "model" / "SHA256SUMS").unlink()  # the tests change its files
    return tmp_path / "model"


OPTIONS = [{}, {"normalize": False}, {"normalize": False, "similarity": "dot"}]


@pytest.mark.parametrize("options", OPTIONS)
def test_what_is_written_is_read_back(options, tmp_path):
    model = a_model(**options)
    write_static(tmp_path / "model", model)
    for again in (load_static(tmp_path / "model"), load_encoder(tmp_path / "model")):
        assert isinstance(again, StaticTextEncoder)
        assert (again.normalize, again.similarity_name) == (model.normalize, model.similarity_name)
        np.testing.assert_array_equal(again.encode_query(TEXTS), model.encode_query(TEXTS))
    encoder, params = load(tmp_path / "model")
    assert isinstance(encoder, StaticEncoder)
    assert encoder.for_ranking().normalize is (options.get("similarity") != "dot")
    export_model(tmp_path / "again", encoder, params)
    names = {path.name for path in (tmp_path / "model").rglob("*")}
    assert names == {path.name for path in (tmp_path / "again").rglob("*")}
    for name in names - {"1_Normalize"}:
        first, second = (tmp_path / kind / name for kind in ("model", "again"))
        assert first.read_bytes() == second.read_bytes(), name


def test_a_run_folder_is_its_model(model, tmp_path):
    write_static(tmp_path / "run" / "model", model)
    for name in ("config.json", "metrics.jsonl"):
        (tmp_path / "run" / name).write_text("{}")
    assert load_static(tmp_path / "run").dimensions == 16
    assert preset(str(tmp_path / "run")).learning_rate == PRESETS["static"].learning_rate
    assert load(tmp_path / "run")[0].dimensions == 16


@pytest.mark.parametrize("config", [{"normalize": True, "embedding_dtype": "int8"}, None])
def test_older_folders_of_model2vec_are_known_by_their_table(config, folder, model):
    """Their config.json names no kind of model; with another kind it is that."""
    (folder / "modules.json").unlink()
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    assert preset(str(folder)).learning_rate == PRESETS["static"].learning_rate
    expected = StaticTextEncoder(model.tokenizer, model.table, normalize=config is not None)
    short = TEXTS[:4]
    for read in (load_static, load_encoder):
        np.testing.assert_array_equal(
            read(folder).encode_query(short), expected.encode_query(short)
        )
    (folder / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(InputError, match="no static model"):
        load_static(folder)


def test_the_length_of_model2vec_where_no_file_names_one(folder):
    """512 tokens in its own layout; sentence-transformers', with modules.json, has no limit."""
    edit(folder / "config.json", model_type="model2vec")
    config = json.loads((folder / "config.json").read_text())
    del config["max_length"]
    (folder / "config.json").write_text(json.dumps(config))
    assert load_static(folder).tokenizer.max_length is None
    (folder / "modules.json").unlink()
    assert load_static(folder).tokenizer.max_length == 512
    edit(folder / "config.json", max_length=None)
    assert load_static(folder).tokenizer.max_length is None


@pytest.mark.parametrize(("table_type", "atol", "share"), [("float16", 1e-3, 2), ("int8", 2e-2, 4)])
def test_smaller_tables(table_type, atol, share, model, tmp_path):
    write_static(tmp_path / "small", model, table_type=table_type)
    write_static(tmp_path / "again", load_static(tmp_path / "small"), table_type=table_type)
    small, again = (load_static(tmp_path / name) for name in ("small", "again"))
    assert small.table.embeddings.dtype == table_type
    assert small.table.embeddings.nbytes * share == model.table.embeddings.nbytes
    difference = np.abs(small.encode_query(TEXTS) - model.encode_query(TEXTS)).max()
    assert 0 < difference < atol
    np.testing.assert_array_equal(again.encode_query(TEXTS), small.encode_query(TEXTS))


def test_int8_keeps_no_lengths(tmp_path):
    with pytest.raises(InputError, match="int8 keeps the directions of vectors alone"):
        write_static(tmp_path, a_model(normalize=False, similarity="dot"), table_type="int8")
    large = a_model()
    large = StaticTextEncoder(
        large.tokenizer, Table(large.table.embeddings * 1e6, large.table.weights)
    )
    with pytest.raises(InputError, match="beyond float16"):
        write_static(tmp_path / "large", large, table_type="float16")
    assert not (tmp_path / "large").exists()


def test_a_mapping_and_weights_are_applied(folder, model):
    """As model2vec stores a table of fewer rows than tokens."""
    tensors, tokens = load_file(folder / "model.safetensors"), model.tokenizer.vocab_size
    rng = np.random.default_rng(0)
    mapping, weights = rng.integers(0, 5, tokens), rng.uniform(0, 1, tokens)
    rows = tensors["embeddings"][:5].astype(np.float64) + 1
    stored = {"embeddings": rows, "mapping": mapping, "weights": weights}
    save_file(stored, folder / "model.safetensors")
    found = load_static(folder)
    np.testing.assert_array_equal(found.table.embeddings, rows[mapping].astype(np.float32))
    np.testing.assert_array_equal(found.table.weights, weights.astype(np.float32))


@pytest.mark.parametrize("nested", [True, False])
def test_the_layouts_of_sentence_transformers(nested, folder, model):
    tensors = load_file(folder / "model.safetensors")
    own = folder / "0_StaticEmbedding" if nested else folder
    own.mkdir(exist_ok=True)
    (folder / "tokenizer.json").rename(own / "tokenizer.json")
    (folder / "model.safetensors").unlink()
    (folder / "config.json").unlink()
    save_file({"embedding.weight": tensors["embeddings"]}, own / "model.safetensors")
    kind = "sentence_transformers.models.StaticEmbedding"
    modules = [{"idx": 0, "name": "0", "path": "0_StaticEmbedding" * nested, "type": kind}]
    (folder / "modules.json").write_text(json.dumps(modules))
    about = {"prompts": {"query": "open ", "document": ""}, "similarity_fn_name": "cosine"}
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps(about | {"truncate_dim": 8})
    )
    found = load_static(folder)
    assert not found.normalize and found.dimensions == 8
    expected = StaticTextEncoder(
        model.tokenizer,
        Table(tensors["embeddings"][:, :8], np.ones(len(tensors["embeddings"]), np.float32)),
        normalize=False,
    )
    np.testing.assert_array_equal(
        found.encode_query(["file"]), expected.encode_query(["open file"])
    )
    assert fingerprint(folder) == fingerprint(str(folder))


def test_a_fingerprint_follows_every_file(folder):
    seen = {fingerprint(folder)}
    for name in ("model.safetensors", "tokenizer.json", "config.json", "modules.json"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content + b" ")
        if name != "model.safetensors":
            seen.add(fingerprint(folder))
        (folder / name).write_bytes(content)
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"weights": tensors["weights"] * 2}, folder / "model.safetensors")
    seen.add(fingerprint(folder))
    assert len(seen) == 5


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_fingerprint_waits_for_nothing(make, folder):
    before = fingerprint(folder)
    (folder / "model.safetensors").unlink()
    make(folder / "model.safetensors")
    assert fingerprint(folder) != before


def rewrite(**changes):
    def change(folder):
        tensors = load_file(folder / "model.safetensors")
        tensors |= {name: make(tensors) for name, make in changes.items()}
        save_file({k: v for k, v in tensors.items() if v is not None}, folder / "model.safetensors")

    return change


def nan_row(tensors):
    rows = tensors["embeddings"].copy()
    rows[7, 3] = np.nan
    return rows


def mapping(value):
    def make(tensors):
        rows = np.zeros(len(tensors["embeddings"]), np.int64)
        rows[9] = value
        return rows

    return make


def edited(name, **values):
    return lambda folder: edit(folder / name, **values)


def gone(name):
    return lambda folder: (folder / name).unlink()


def other(name, content):
    return lambda folder: (folder / name).write_text(content)


def waiting(name):
    """A file that would be read for ever."""

    def change(folder):
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return change


def in_numbers_of(dtype, size):
    """A table of numbers of a type that numpy lacks."""

    def change(folder):
        rows, dimensions = load_file(folder / "model.safetensors")["embeddings"].shape
        end = rows * dimensions * size
        about = {"dtype": dtype, "shape": [rows, dimensions], "data_offsets": [0, end]}
        head = json.dumps({"embeddings": about}).encode()
        content = len(head).to_bytes(8, "little") + head + bytes(end)
        (folder / "model.safetensors").write_bytes(content)

    return change


def with_tokenizer_of(model):
    """A tokenizer of as many tokens as there are rows, of which none is for unknown text."""

    def change(folder):
        tokens = len(load_file(folder / "model.safetensors")["embeddings"])
        backend = Backend(model([f"w{n}" for n in range(tokens)]))
        backend.save(str(folder / "tokenizer.json"))

    return change


def word_level(words):
    return models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="?")


def chain(*kinds):
    return json.dumps([{"type": f"sentence_transformers.{kind}", "path": ""} for kind in kinds])


BAD = [
    (rewrite(embeddings=nan_row), "model.safetensors: embeddings: row 7 is not finite"),
    (rewrite(weights=lambda t: t["weights"] * np.inf), "model.safetensors: weights: row"),
    (rewrite(weights=lambda t: t["weights"][:-1]), "weights have the shape [*], tokenizer.json"),
    (rewrite(mapping=mapping(10**6)), "model.safetensors: mapping: token 9 has row 1000000 of"),
    (rewrite(mapping=mapping(-1)), "model.safetensors: mapping: token 9 has row -1 of"),
    (rewrite(mapping=lambda t: t["weights"]), "mapping is float32[*], not an integer for each of"),
    (rewrite(embeddings=lambda t: t["embeddings"][:-2]), "rows, tokenizer.json has * tokens"),
    (rewrite(embeddings=lambda t: t["weights"]), "embeddings is float32[*], not a table"),
    (rewrite(embeddings=lambda t: t["embeddings"].astype(int)), "not a table of floats or int8"),
    (rewrite(embeddings=lambda t: None), "no tensor embeddings or embedding.weight"),
    (rewrite(embeddings=lambda t: t["embeddings"][:, :0]), "embeddings is float32[*, 0], not a"),
    (rewrite(embeddings=lambda t: t["embeddings"] * np.float64(1e300)), "or beyond float32)"),
    (rewrite(weights=lambda t: t["weights"] * np.float64(1e300)), "weights: row"),
    (in_numbers_of("F8_E4M3", 1), "model.safetensors: numbers that numpy lacks"),
    (waiting("model.safetensors"), "model.safetensors: no safetensors file"),
    (waiting("tokenizer.json"), "tokenizer.json: missing"),
    (with_tokenizer_of(word_level), "tokenizer.json: it fails at unknown text (WordLevel error"),
    (
        with_tokenizer_of(lambda words: models.Unigram([(word, -1.0) for word in words])),
        "tokenizer.json: it fails at unknown text (",
    ),
    (gone("model.safetensors"), "model.safetensors: no safetensors file"),
    (other("model.safetensors", "{"), "model.safetensors: no safetensors file"),
    (gone("tokenizer.json"), "tokenizer.json: missing"),
    (other("tokenizer.json", "{"), "tokenizer.json: no tokenizer"),
    (edited("config.json", max_length=0), "config.json: max_length: expected int >= 1"),
    (edited("config.json", normalize="yes"), "config.json: normalize: expected bool"),
    (edited("config_sentence_transformers.json", truncate_dim=4), "truncate_dim 4 after Normalize"),
    (edited("config_sentence_transformers.json", similarity_fn_name="l2"), "similarity_fn_name"),
    (other("modules.json", chain("StaticEmbedding", "Dense")), "cannot compute Static"),
    (other("modules.json", chain("StaticEmbedding").replace('""', '"../.."')), "is not the name"),
    (other("modules.json", "["), "modules.json: missing or not JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_folders_are_one_line_that_names_the_file(change, message, folder):
    load_static(folder)  # negative control
    change(folder)
    for read in (load_static, load):
        with pytest.raises(InputError) as caught:
            read(folder)
        shown = f"{caught.value}"
        assert "\n" not in shown and f"{folder.parent}" in shown
        begin, _, end = message.partition("*")
        assert begin in shown and end in shown


def test_digests_are_checked_where_there_is_time(model, tmp_path):
    write_static(tmp_path / "model", model)
    load_encoder(tmp_path / "model")
    edit(tmp_path / "model" / "config.json", other=1)
    with pytest.raises(InputError, match=r"config.json: missing, or not as it was exported"):
        load_encoder(tmp_path / "model")
    load_static(tmp_path / "model")


def test_other_models_are_not_static(tmp_path):
    folder = write_model(tmp_path / "model", TEXTS)
    with pytest.raises(InputError, match="no static model; load_encoder loads others"):
        load_static(folder)
    with pytest.raises(InputError, match=r"no such folder, and revision main is not in the Hub"):
        load_static("someone/not-here")
    with pytest.raises(InputError, match="a static model has mean pooling, not cls"):
        write_static(tmp_path / "static", a_model())
        load(tmp_path / "static", pooling="cls")
