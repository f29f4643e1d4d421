"""Fine-tuning and evaluating an encoder that reads code with its data flow."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

from softnce_jax.commands.evaluate import Flags, evaluate
from softnce_jax.data.sample import load_sample
from softnce_jax.errors import InputError
from softnce_jax.pretrained.load import load
from softnce_jax.pretrained.presets import preset
from softnce_jax.train.batches import batch_indices, batches
from softnce_jax.train.config import Config, resolve
from softnce_jax.train.fit import fit
from softnce_jax.train.setup import build_encoder, make_processor
from tests.data.folders import write_folder
from tests.train.corpus import write_encoder, write_tasks
from tests.train.prepare import prepare
from tests.train.runs import logged_lines, metrics

SMALL = {"dataflow": "published", "flow_length": 16, "code_length": 48, "query_length": 16}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """The data; their encoder lies in it."""
    folder = write_tasks(tmp_path_factory.mktemp("tasks"))
    write_encoder(folder / "encoder", folder)
    return folder


def config(tasks, **given) -> Config:
    settings = {"epochs": 1, "batch_size": 8, "encoder": str(tasks / "encoder"), **SMALL}
    settings |= {"learning_rate": 1e-2, "warmup_epochs": 0.0, "data": str(tasks)}
    return Config(lang="python", **(settings | given))


@pytest.fixture(scope="module")
def run(tasks, tmp_path_factory):
    """A finished run: its folder, results and what it logged."""
    out = tmp_path_factory.mktemp("dataflow") / "run"
    with logged_lines() as lines:
        results = fit(config(tasks, out=str(out)))
    return out, results, "\n".join(lines)


@pytest.mark.slow
def test_it_trains_and_logs_so(run):
    folder, results, logged = run
    assert "published data flow" in logged and results["config"]["dataflow"] == "published"
    assert len([line for line in metrics(folder) if "loss" in line]) == 3


@pytest.mark.slow
def test_the_exported_model_remembers_its_data_flow(run):
    folder, _, _ = run
    encoder, _ = load(folder / "model")
    assert {name: getattr(encoder, name) for name in SMALL} == SMALL
    for name in (folder, folder / "model"):
        assert {key: getattr(preset(str(name)), key) for key in SMALL} == SMALL
    again, _ = resolve(
        Config(encoder=str(folder / "model")), on_sample=False, train_pairs=128
    )  # the flags' defaults come from the folder
    assert {name: getattr(again, name) for name in SMALL} == SMALL


@pytest.mark.slow
def test_evaluation_gives_the_numbers_of_the_run(run, tasks, tmp_path):
    folder, results, _ = run
    options = {"model": str(folder), "lang": "python", "data": str(tasks)}
    found = evaluate(Flags(**options, out=str(tmp_path / "all")))
    model, trained = found["metrics"]["python"]["model"], results["metrics"]["python"]["trained"]
    assert model["mrr"] == trained["mrr"]
    other = evaluate(Flags(**options, code_length=8, out=str(tmp_path / "short")))
    assert other["metrics"]["python"]["model"] != model


def test_rows_of_batches_have_one_shape(tasks):
    """Packed or padded; only the number of packed rows may differ."""
    settled, data = prepare(config(tasks))
    encoder, _ = build_encoder(settled, data.train)
    processor = make_processor(encoder, [data.train], settled.data)
    for padded in (False, True):
        indices = batch_indices(24, 8, seed=0)
        drawn = batches(indices, data.train, processor, one_text_per_row=padded)
        texts = [drawn[n].texts for n in range(3)]
        shapes = {tuple(array.shape[2:] for array in jax.tree.leaves(text)) for text in texts}
        assert len(shapes) == 1
        assert texts[0].rows.ids.shape[2] == 64
        assert texts[0].rows.edges.shape[2] == processor.capacity.edges == 64
        # Of eight functions with data flow and eight queries.
        rows = {text.rows.ids.shape[1] for text in texts}
        assert rows == {16} if padded else max(rows) < 16


@pytest.mark.parametrize(
    ("rules", "read", "other"), [("published", "written", "joined"), ("none", "joined", "written")]
)
def test_rows_are_of_the_text_that_the_encoder_reads(tasks, tmp_path, rules, read, other):
    """Data flow is that of the function as written, else the joined tokens are read."""
    lines = (tasks / "train.jsonl").read_text("utf-8").splitlines()
    texts = {"both": [], "written": [], "joined": []}
    for row in map(json.loads, lines):
        code = row.pop("code")
        written, joined = {"original_string": code}, {"code_tokens": ["tokens", *code.split()]}
        texts["both"].append(row | written | joined)
        texts["written"].append(row | written)
        texts["joined"].append(row | joined)
    found = {}
    for name, rows in texts.items():
        folder = write_folder(tmp_path / name, train=rows, valid=rows[:2], test=rows[:2])
        flow_length = 0 if rules == "none" else 16
        given = config(tasks, data=str(folder), dataflow=rules, flow_length=flow_length)
        settled, data = prepare(given)
        encoder, _ = build_encoder(settled, data.train)
        processor = make_processor(encoder, [data.train], settled.data)
        drawn = batches(batch_indices(24, 8, seed=0), data.train, processor)
        found[name] = jax.tree.leaves(drawn[0].texts)
    same = {n: all(map(np.array_equal, found["both"], found[n])) for n in (read, other)}
    assert same == {read: True, other: False}


def test_the_rules_and_the_graph_change_the_rows(tasks):
    pairs = load_sample("javascript").train[:8]
    found = {}
    for rules in ("none", "published", "extended"):
        given = {"dataflow": rules, "flow_length": 0 if rules == "none" else 16}
        settled, data = prepare(config(tasks, **given))
        encoder, _ = build_encoder(settled, data.train)
        found[rules] = make_processor(encoder, [pairs], "sample").codes(pairs)
    assert all(isinstance(ids, list) for ids in found["none"])
    ways = zip(found["published"], found["extended"], strict=True)
    assert any(a.edges.tolist() != b.edges.tolist() for a, b in ways)


def test_rows_longer_than_the_network_are_an_error(tasks):
    settled, data = prepare(config(tasks, code_length=200, flow_length=90))
    with pytest.raises(InputError, match=r"--code-length 200 and --flow-length 90, but .* has 64"):
        build_encoder(settled, data.train)
    settled, data = prepare(config(tasks, query_length=65))
    with pytest.raises(InputError, match=r"--query-length 65, but .* has 64 positions"):
        build_encoder(settled, data.train)


@pytest.mark.parametrize("name", ["query_length", "code_length"])
def test_a_length_without_room_for_text_is_an_error(tasks, name):
    settled, data = prepare(config(tasks, **{name: 2}))
    flag = f"--{name.replace('_', '-')} 2"
    with pytest.raises(InputError, match=f"{flag}, but every text has . special tokens"):
        build_encoder(settled, data.train)
