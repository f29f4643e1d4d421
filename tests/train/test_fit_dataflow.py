"""Fine-tuning and evaluating an encoder that reads code with its data flow."""

from __future__ import annotations

import json

import jax
import pytest

from softnce_jax.commands.evaluate import evaluate
from softnce_jax.data.sample import load_sample
from softnce_jax.dataflow.example import GraphRows
from softnce_jax.errors import InputError
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.presets import preset
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config, EvaluateConfig, resolve
from softnce_jax.train.fit import fit
from softnce_jax.train.setup import build_encoder, make_layout, prepare_data
from tests.train.corpus import write_tasks

SMALL = {"dataflow": "published", "flow_length": 16, "code_length": 48, "query_length": 16}


def config(tasks, **given) -> Config:
    settings = {"epochs": 1, "batch_size": 8, "encoder": "tiny", **SMALL}
    return Config(lang="python", data=str(tasks), **(settings | given))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run: its tasks, folder, results and what it said."""
    folder, said = tmp_path_factory.mktemp("dataflow"), []
    tasks = write_tasks(folder / "tasks")
    results = fit(config(tasks, out=str(folder / "run")), said.append)
    return tasks, folder / "run", results, "\n".join(said)


def losses(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.slow
def test_it_trains_and_says_so(run):
    _, folder, results, said = run
    assert "published data flow" in said and results["config"]["dataflow"] == "published"
    assert len(losses(folder)) == 3


@pytest.mark.slow
def test_the_exported_model_remembers_its_data_flow(run):
    _, folder, _, _ = run
    encoder, _ = load(folder / "model")
    assert {name: getattr(encoder, name) for name in SMALL} == SMALL
    for name in (folder, folder / "model"):
        assert {key: getattr(preset(str(name)), key) for key in SMALL} == SMALL
    again, _ = resolve(
        Config(encoder=str(folder / "model")), on_sample=False, train_pairs=128
    )  # the flags' defaults come from the folder
    assert {name: getattr(again, name) for name in SMALL} == SMALL


@pytest.mark.slow
def test_evaluation_gives_the_numbers_of_the_run(run, tmp_path):
    tasks, folder, results, _ = run
    options = {"model": str(folder), "lang": "python", "data": str(tasks)}
    found = evaluate(EvaluateConfig(**options, out=str(tmp_path / "all")), lambda _: None)
    model, trained = found["metrics"]["python"]["model"], results["metrics"]["python"]["trained"]
    assert model["mrr"] == trained["mrr"]
    other = EvaluateConfig(**options, code_length=8, out=str(tmp_path / "short"))
    assert evaluate(other, lambda _: None)["metrics"]["python"]["model"] != model


@pytest.mark.slow
def test_batches_have_one_shape(run):
    data = prepare_data(config(run[0]))
    encoder, _ = build_encoder(data)
    processor = make_layout(encoder, [data.train], data.config.data, print)
    for packed in (False, True):
        laid = batches(batch_indices(24, 8, seed=0), data.train, processor._replace(packed=packed))
        texts = [laid[n].texts for n in range(3)]
        shapes = {tuple(array.shape for array in jax.tree.leaves(text)) for text in texts}
        if packed:  # in rows and edges; the number of rows may differ
            shapes = {tuple(shape[2:] for shape in arrays) for arrays in shapes}
            assert texts[0].rows.edges.shape[2] == processor.capacity.edges == 64
        else:
            assert isinstance(texts[0].codes, GraphRows) and texts[0].codes.ids.shape == (8, 64)
        assert len(shapes) == 1


@pytest.mark.slow
def test_the_rules_and_the_graph_change_the_rows(run):
    pairs = load_sample("javascript").train[:8]
    found = {}
    for rules in ("none", "published", "extended"):
        given = {"dataflow": rules, "flow_length": 0 if rules == "none" else 16}
        encoder, _ = build_encoder(prepare_data(config(run[0], **given)))
        found[rules] = make_layout(encoder, [pairs], "sample", print).codes(pairs)
    assert all(isinstance(ids, list) for ids in found["none"])
    ways = zip(found["published"], found["extended"], strict=True)
    assert any(a.edges.tolist() != b.edges.tolist() for a, b in ways)


@pytest.mark.slow
def test_rows_longer_than_the_network_are_an_error(run):
    with pytest.raises(InputError, match="--code-length 200 and --flow-length 90, but tiny has"):
        build_encoder(prepare_data(config(run[0], code_length=200, flow_length=90)))
