"""Texts in, vectors out: those of the encoder, in order, whatever the number of texts."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from softnce_jax.data.corpus import Candidate
from softnce_jax.encoders import embed, text_encoder
from softnce_jax.encoders.embed import Embedder
from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.prompts import Prompts
from softnce_jax.encoders.text_encoder import TextEncoder
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.errors import InputError
from softnce_jax.mesh import make_mesh
from softnce_jax.pretrained.load import load_encoder
from softnce_jax.pretrained.tiny import train_tokenizer
from tests.launch import finish, start
from tests.small_model import write_model

pytestmark = pytest.mark.interop

QUERIES = ["sort a list", "", "open a file", "sort a list twice " * 20]
ROOT = Path(__file__).parents[2]
CODES = ["def sort(x):\n    y = sorted(x)\n    return y", "def f(): pass"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "model", QUERIES + CODES)


@pytest.fixture(scope="module")
def model(folder):
    return load_encoder(folder)


def one_by_one(model, texts, length):
    """Every text alone, by the pure encoder."""
    tokenizer = model.encoder.tokenizer
    ids = [tokenizer.pad(tokenizer.tokenize([text], length), length) for text in texts]
    embed = jax.jit(model.encoder.embed)
    return np.concatenate([np.asarray(embed(jax.device_get(model.params), one)) for one in ids])


def test_vectors_are_those_of_each_text_alone(model):
    assert model.encoder.query_length != model.encoder.code_length  # where the last text is cut
    found = model.encode_query(QUERIES)
    np.testing.assert_allclose(found, one_by_one(model, QUERIES, 12), atol=2e-6)
    assert found.dtype == np.float32 and found.shape == (4, model.encoder.dimensions)
    found = model.encode_document(QUERIES)
    np.testing.assert_allclose(found, one_by_one(model, QUERIES, 24), atol=2e-6)
    assert np.abs(found[3] - model.encode_query(QUERIES)[3]).max() > 1e-3


def test_blocks_are_the_whole(model, monkeypatch, capsys):
    whole = model.encode_query(QUERIES)
    monkeypatch.setattr(text_encoder, "BLOCK_ROWS", 3)
    np.testing.assert_allclose(model.encode_query(QUERIES), whole, atol=1e-6)
    assert capsys.readouterr().err == ""
    model.encode_query(QUERIES, progress=True)
    assert "queries: 100%" in capsys.readouterr().err


def test_no_texts_are_no_vectors(model):
    assert model.encode_query([]).shape == (0, model.encoder.dimensions)


def test_any_devices(folder, model):
    alone = load_encoder(folder, mesh=make_mesh(jax.devices()[:1]))
    assert model.encoder.dimensions == 16 and len(jax.devices()) == 4
    np.testing.assert_allclose(alone.encode_query(QUERIES), model.encode_query(QUERIES), atol=1e-6)


def test_prompts_and_similarity_of_the_model(model):
    tokenizer = Tokenizer(
        train_tokenizer(QUERIES + CODES, 300), prompts=Prompts({"query": "sort: "})
    )
    asked = dataclasses.replace(
        model.encoder, tokenizer=tokenizer, query_length=24, similarity="cosine"
    )
    asked = TextEncoder(asked, jax.device_get(model.params))
    texts = ["a list", "open"]
    found, c = asked.encode_query(texts), model.encode_document(texts)
    prompted = model.encode_document([f"sort: {text}" for text in texts])
    np.testing.assert_allclose(found, prompted, atol=2e-6)
    np.testing.assert_allclose(asked.encode_document(texts), c, atol=2e-6)
    assert np.abs(prompted - c).max() > 1e-3
    q = found / np.linalg.norm(found, axis=1, keepdims=True)
    cosine = q @ (c / np.linalg.norm(c, axis=1, keepdims=True)).T
    np.testing.assert_allclose(asked.similarity(found, c), cosine, rtol=1e-5)
    np.testing.assert_allclose(model.similarity(found, c), found @ c.T, rtol=1e-5)
    assert np.abs(cosine - found @ c.T).max() > 1e-2


def test_data_flow_needs_a_language(model):
    settings = {"dataflow": "extended", "flow_length": 8, "code_length": 32}
    flowing = dataclasses.replace(model.encoder, **settings)
    params = jax.device_get(model.params)
    text_model = TextEncoder(flowing, params)
    with pytest.raises(InputError, match=r"reads data flow \(extended\): give language="):
        text_model.encode_document(CODES)
    rows = Processor.of(flowing).codes([Candidate(code, "", "python") for code in CODES])
    wanted = Embedder(flowing, make_mesh(jax.devices()))(params, rows)
    found = text_model.encode_document(CODES, language="python")
    np.testing.assert_array_equal(found, wanted)
    assert np.abs(found[0] - model.encode_document(CODES)[0]).max() > 1e-3


def test_one_string_is_an_error(model):
    for encode in (model.encode_query, model.encode_document):
        with pytest.raises(InputError, match="texts is one string"):
            encode("sort")


MEMORY = """
import sys
import jax
from softnce_jax.data.load import load_corpora
from softnce_jax.encoders import embed
from softnce_jax.encoders.text_encoder import TextEncoder
from softnce_jax.pretrained.tiny import tiny

functions, embed.TOKENS_ON_CPU = map(int, sys.argv[1:])
corpora, _ = load_corpora("sample", "all")
codes = [function.code for corpus in corpora for function in corpus.codebase] * 3
model = TextEncoder(*tiny(codes, key=jax.random.key(0)))
vectors = model.encode_document(codes[:functions])
assert vectors.shape == (functions, model.encoder.dimensions)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 1e6)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc (the peak of memory)")
def test_the_memory_of_1417_functions():
    """Its peak in GB, in a fresh process; the control embeds fewer of them, all at once."""

    def peak(functions, tokens):
        command = [sys.executable, "-c", MEMORY, str(functions), str(tokens)]
        variables = os.environ | {"XLA_FLAGS": "", "USE_TORCH": "0"}
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    assert peak(1417, embed.TOKENS_ON_CPU) < 1 < peak(700, 1 << 20)


TOGETHER = """
import sys
import numpy as np
from softnce_jax.train import distributed

with distributed.processes():
    import jax
    from softnce_jax import load_encoder

    model = load_encoder(sys.argv[1])
    assert (jax.process_count(), jax.device_count(), jax.local_device_count()) == (2, 4, 2)
    texts = open(sys.argv[2]).read().split("|")
    vectors = [model.encode_query(texts), model.encode_document(texts)]
    with open(f"{sys.argv[3]}.{jax.process_index()}", "wb") as file:
        np.save(file, np.stack(vectors))
"""


@pytest.mark.slow
def test_every_process_gets_all_vectors(folder, model, tmp_path):
    texts = [*QUERIES, *CODES, *(f"open file {n} " * n for n in range(30))]
    (tmp_path / "texts").write_text("|".join(texts))
    command = ["-c", TOGETHER, folder, tmp_path / "texts", tmp_path / "vectors"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT}
    processes = start([command] * 2, devices=[2, 2], **pipes)
    printed = finish(processes)
    assert all(process.returncode == 0 for process in processes), printed
    first, second = (np.load(f"{tmp_path / 'vectors'}.{index}") for index in (0, 1))
    np.testing.assert_array_equal(first, second)
    alone = np.stack([model.encode_query(texts), model.encode_document(texts)])
    np.testing.assert_allclose(first, alone, atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
