"""The model card: the Hub's reader takes its head, its programs run, its numbers are the run's."""

from __future__ import annotations

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pytest
from huggingface_hub import ModelCard

from softnce_jax.encoders.tokenizer import Prompts
from softnce_jax.errors import InputError
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.static import write_static
from softnce_jax.train.card import model_card
from softnce_jax.train.config import Config
from softnce_jax.train.fit import identify
from tests.small_model import write_model
from tests.small_static import small_static
from tests.stock_models import torch
from tests.train.corpus import write_encoder, write_tasks
from tests.train.prepare import prepare

__all__ = ["torch"]  # a fixture

TEXTS = ["read a file line by line", "def lines(path)\n  File.readlines(path)\nend"]


def metric(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.0625, "high": value + 0.0625}


def results_of(config, data, **more) -> dict:
    """What results.json has of a run whose numbers are these."""
    values = {"BM25": 0.25, "untrained": 0.5, "trained": 0.75}
    systems = {n: {"mrr": metric(x), "recall@1": metric(x / 2)} for n, x in values.items()}
    return {
        "config": identify(config, data, {}),
        "protocol": {c.language: {"queries": 8, "candidates": 20} for c in data.corpora},
        "best": {"step": 6, "mrr": 0.625},
        "metrics": {c.language: systems for c in data.corpora},
    } | more


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model", TEXTS, pooling="mean")


def card_of(model, *, loaded=None, more=None, **given) -> str:
    config, data = prepare(Config(**{"lang": "ruby", "data": "sample", "batch_size": 8} | given))
    return model_card(
        config, data, loaded or load(model)[0], results_of(config, data, **more or {})
    )


def programs(card: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


def test_the_hubs_reader_takes_it(model, tmp_path):
    (tmp_path / "README.md").write_text(card_of(model), "utf-8")
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data.library_name, data.pipeline_tag) == (
        "sentence-transformers",
        "sentence-similarity",
    )
    assert (data.license, data.license_name, data.base_model) == ("other", "to-be-filled-in", None)
    assert {"code-search", "ruby", "softnce_jax"} <= set(data.tags)
    assert data.model_name == "ruby-tiny-soft_infonce-bm25-1234"
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    assert found == {"mrr": 0.75, "recall@1": 0.375}
    assert data.eval_results[0].dataset_name == "sample, ruby"
    # Negative control: a card without a head has nothing of it.
    (tmp_path / "README.md").write_text(card_of(model).partition("---\n\n")[2], "utf-8")
    assert ModelCard.load(tmp_path / "README.md").data.eval_results is None


def test_it_says_what_the_run_was(model):
    card = card_of(model, lang="all", more={"scale": 31.4159})
    _, data = prepare(Config(lang="all", data="sample"))
    for corpus in data.corpora:
        assert (
            f"{corpus.language}, 128 training pairs, SHA-256 of all rows `{corpus.hash()}`" in card
        )
        assert f"{corpus.language}, 8 queries, 20 candidates:" in card
    for part in (
        "loss: `soft_infonce`",
        "similarity: `bm25`",
        "`alpha` 1.5, `beta` 0.5",
        "`epochs` 6, `batch_size` 8, `learning_rate` 4e-06",
        "step 6, whose validation MRR was the best, 0.625",
        "trained    .750 [.688, .812]  .375 [.312, .438]",
        "the scale as it was learned: 31.42",
        "trained with softnce_jax from scratch",
    ):
        assert part in card, part
    assert "learned: " not in card_of(model) and card_of(model) == card_of(model)


@pytest.mark.parametrize(
    ("encoder", "base"),
    [("unixcoder", "microsoft/unixcoder-base"), ("tiny", None), ("someone/else", "someone/else")],
)
def test_the_base_model_is_named_where_it_has_a_name(model, encoder, base, monkeypatch):
    monkeypatch.setattr("softnce_jax.train.fit.origin", lambda _: {"encoder_hash": "0f" * 32})
    card = card_of(model, encoder=encoder)
    assert (f'\nbase_model: "{base}"\n' in card) == (base is not None)
    assert ("whose publisher states its licence" in card) == (base is not None)


def test_no_path_of_the_machine_is_in_it(model, tmp_path):
    tasks = write_tasks(tmp_path / "some`where" / "tasks")
    encoder = write_encoder(tmp_path / "some`where" / "encoder", tasks)
    given = {"lang": "python", "data": str(tasks), "out": str(tmp_path / "out")}
    given |= {"encoder": str(encoder)}
    card = card_of(model, **given)
    assert str(tmp_path) not in card and "some`where" not in card
    assert "data: `tasks`" in card and "began with: `encoder`, SHA-256 `" in card


def test_what_other_libraries_lack_is_told(model):
    plain = load(model)[0]
    assert "All three give the same vectors." in card_of(model)
    flow = SimpleNamespace(**{f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)})
    flow.in_bags = False
    flow.dataflow = "published"
    assert "Only softnce_jax reads the data flow" in card_of(model, loaded=flow)
    flow.dataflow = "none"
    flow.tokenizer = SimpleNamespace(prompts=Prompts({"query": "q: "}))
    assert "transformers knows nothing of the prompts" in card_of(model, loaded=flow)


def test_the_program_in_softnce_jax_runs(model, monkeypatch):
    source = programs(card_of(model))[0]
    monkeypatch.chdir(model)
    names: dict = {}
    exec(source, names)
    assert names["q"].shape == (1, 16) and names["c"].shape == (2, 16)
    monkeypatch.chdir(model.parent)  # negative control
    with pytest.raises(InputError):
        exec(source, {})


OTHERS = [("mean", False), ("cls", True), ("pooler", False)]


@pytest.mark.interop
@pytest.mark.parametrize(
    ("pooling", "normalize"),
    [("mean", True), *(pytest.param(*case, marks=pytest.mark.slow) for case in OTHERS)],
)
def test_all_programs_give_the_same_vectors(pooling, normalize, tmp_path, monkeypatch, torch):
    folder = write_model(tmp_path / "model", TEXTS, pooling=pooling, normalize=normalize)
    ours, theirs, transformers = programs(card_of(folder))
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(ours, names)
    wanted = np.concatenate([names["q"], names["c"]])
    names = {}
    exec(transformers, names)
    np.testing.assert_allclose(names["vectors"].numpy(), wanted, atol=1e-5)
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    names = {}
    exec(theirs, names)
    np.testing.assert_allclose(np.concatenate([names["q"], names["c"]]), wanted, atol=1e-5)


@pytest.fixture(scope="module")
def static(tmp_path_factory):
    folder = tmp_path_factory.mktemp("static") / "model"
    write_static(folder, small_static(TEXTS))
    return folder


def test_the_card_of_a_static_model(static, monkeypatch, tmp_path):
    """Its third library is model2vec; what only networks have is not among the settings."""
    card = card_of(static, encoder="static")
    assert "began with: scratch" in card and "`learning_rate` 0.005" in card
    assert "`code_length`" not in card and "`precision`" not in card
    (tmp_path / "README.md").write_text(card)
    assert ModelCard.load(tmp_path / "README.md").data.library_name == "model2vec"
    ours, theirs, third = programs(card)
    assert "SentenceTransformer" in theirs and "StaticModel" in third
    monkeypatch.chdir(static)
    found: dict = {}
    exec(ours, found)
    assert found["model"].dimensions == 16


@pytest.mark.slow
@pytest.mark.interop
@pytest.mark.parametrize("name", ["sentence_transformers", "model2vec"])
def test_programs_of_a_static_model_give_the_same_vectors(name, static, monkeypatch):
    pytest.importorskip(name, reason=f"{name} is not installed (its vectors)")
    monkeypatch.chdir(static)
    ours, theirs, third = programs(card_of(static, encoder="static"))
    found: list[dict] = [{}, {}]
    exec(ours, found[0])
    exec(third if name == "model2vec" else theirs, found[1])
    for side in ("q", "c"):
        assert np.abs(found[0][side] - found[1][side]).max() < 1e-6
