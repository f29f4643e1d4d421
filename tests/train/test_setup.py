"""What a run works on: the encoder compares vectors as --similarity says, exported too."""

from __future__ import annotations

import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from softnce_jax.encoders.processor import Processor
from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.mesh import make_mesh
from softnce_jax.pretrained.export import export_model
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.tiny import train_tokenizer
from softnce_jax.train import fit, setup
from softnce_jax.train.config import Config
from softnce_jax.train.fit import validation
from softnce_jax.train.setup import build_encoder, make_batches
from tests.train.corpus import write_encoder, write_tasks
from tests.train.prepare import prepare

TEXTS = ["the words of queries and of functions"]


@pytest.mark.parametrize(
    ("duplicates", "asked"), [("keep", False), ("exclude", True), ("weight", True)]
)
def test_batches_have_keys_where_duplicates_are_treated(duplicates, asked, tmp_path):
    tasks = write_tasks(tmp_path / "tasks")
    given = {"lang": "python", "data": str(tasks), "batch_size": 8, "duplicates": duplicates}
    config, data = prepare(Config(**given))
    processor = Processor(Tokenizer(train_tokenizer(TEXTS, 300)), 8, 8)
    mesh = make_mesh(jax.devices()[:1])
    batch = make_batches(config, data.train, processor, None, None, mesh).dataset[0]
    assert (batch.query_keys is not None, batch.code_keys is not None) == (asked, asked)


def test_validation_asks_the_queries_of_the_validation_split(tmp_path, monkeypatch):
    _, data = prepare(Config(lang="python", data=str(write_tasks(tmp_path)), batch_size=8))
    asked = []
    monkeypatch.setattr(fit, "RetrievalTask", lambda *arguments: asked.append(arguments))
    validation(data, None, "processor")
    (corpus,) = data.corpora
    assert asked == [(corpus.valid, corpus.codebase, "processor")]
    assert corpus.valid != corpus.test


def test_the_steps_learning_rate_is_that_of_the_schedule(tmp_path, monkeypatch):
    given = {"lang": "python", "data": str(write_tasks(tmp_path)), "learning_rate": 0.5}
    config, _ = prepare(Config(**given, batch_size=8))
    encoder = SimpleNamespace(normalize=True)
    monkeypatch.setattr(setup, "make_step", lambda encoder, objective, tx, rate, *_, **__: rate)
    schedule = setup.Schedule(total=10, evaluate=5, warmup=4)
    mesh = make_mesh(jax.devices()[:1])
    rate, _ = setup.build_step(config, encoder, {"a": np.zeros(2, np.float32)}, schedule, mesh)
    assert [float(rate(step)) for step in (0, 2, 4, 7, 10)] == [0.0, 0.25, 0.5, 0.25, 0.0]


CASES = [("auto", True, True), ("auto", False, False), ("dot", True, False),
         ("cosine", False, True)]  # fmt: skip


@pytest.mark.parametrize(("similarity", "before", "unit"), CASES)
def test_similarity_is_the_encoders_and_the_exports(similarity, before, unit, tmp_path):
    tasks = write_tasks(tmp_path / "tasks")
    given = {"encoder": str(write_encoder(tmp_path / "encoder", tasks, normalize=before))}
    given |= {"lang": "python", "data": str(tasks), "batch_size": 8, "similarity": similarity}
    config = Config(**given)
    settled, data = prepare(config)
    encoder, params = build_encoder(settled, data.train)
    assert encoder.normalize is unit
    export_model(tmp_path / "model", encoder, params)
    assert load(tmp_path / "model")[0].normalize is unit


def test_a_run_keeps_what_a_sentence_transformers_folder_says(tmp_path):
    tasks = write_tasks(tmp_path / "tasks")
    folder = write_encoder(tmp_path / "encoder", tasks, normalize=False)
    (folder / "SHA256SUMS").unlink()
    about = {"prompts": {"query": "find ", "document": "def "}, "default_prompt_name": "query"}
    about |= {"similarity_fn_name": "cosine", "truncate_dim": 8}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(about))
    given = {"encoder": str(folder), "lang": "python", "data": str(tasks), "batch_size": 8}
    settled, data = prepare(Config(**given))
    encoder, params = build_encoder(settled, data.train)
    assert encoder.normalize and encoder.truncate_dim == 8
    processor, plain = Processor.of(encoder), Tokenizer(encoder.tokenizer.fast)
    pair = data.train[0]
    assert processor.queries([pair.query]) == plain.tokenize(
        [f"find {pair.query}"], encoder.query_length
    )
    assert processor.codes([pair]) == plain.tokenize([f"def {pair.code}"], encoder.code_length)
    export_model(tmp_path / "model", encoder, params)
    said = json.loads((tmp_path / "model/config_sentence_transformers.json").read_text())
    assert said == about
    assert load(tmp_path / "model")[0].for_ranking().normalize
    # Asked for dot products, a run has no unit length anywhere.
    settled, _ = prepare(Config(**given, similarity="dot"))
    encoder, _ = build_encoder(settled, data.train)
    assert not encoder.normalize and encoder.similarity == "dot"
