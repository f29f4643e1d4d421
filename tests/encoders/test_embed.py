"""Embedding by blocks that stay on disk: killed, resumed, damaged, other models, other rows."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from functools import cache

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from softnce_jax.dataflow.example import Example
from softnce_jax.encoders import embed
from softnce_jax.encoders.embed import Embedder, embed_all, model_hash, rows_hash
from softnce_jax.pretrained.load import load
from tests.small_model import write_model

TEXTS = [f"def f{i}(x): return x + {i}" for i in range(7)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "model", TEXTS)


class Counted(Embedder):
    """An Embedder that notes how many rows each call had."""

    def __init__(self, encoder):
        mesh = jax.make_mesh((1,), ("data",), (AxisType.Auto,), devices=jax.devices()[:1])
        super().__init__(encoder, mesh)
        self.calls = []

    def __call__(self, params, ragged):
        self.calls.append(len(ragged))
        return super().__call__(params, ragged)


@cache
def embedder_of(model, **changed):
    """An embedder, whose programs are compiled once, and the parameters."""
    encoder, params = load(str(model))
    return Counted(dataclasses.replace(encoder, **changed)), params


def vectors(model, folder, monkeypatch, *, texts=TEXTS, **changed):
    """The vectors of the texts, and the calls that they took."""
    monkeypatch.setattr(embed, "BLOCK_ROWS", 3)
    embedder, params = embedder_of(model, **changed)
    embedder.calls = []
    rows = embedder.encoder.tokenizer.tokenize(texts, 24)
    return embed_all(embedder, params, rows, folder=folder, title="texts"), embedder.calls


def test_another_process_may_remove_the_folder(tmp_path, monkeypatch):
    folder, savez = tmp_path / "blocks", np.savez

    def save_and_lose(path, **arrays):
        savez(path, **arrays)
        shutil.rmtree(folder)

    monkeypatch.setattr(embed.np, "savez", save_and_lose)
    embed._write_block(folder / "block.npz", np.ones((2, 3)))
    monkeypatch.undo()
    embed._write_block(folder / "block.npz", np.ones((2, 3)))
    assert embed._read_block(folder / "block.npz", 2) is not None


def test_blocks_are_the_whole_and_are_made_once(model, tmp_path, monkeypatch):
    whole, calls = vectors(model, None, monkeypatch)
    assert calls == [7]
    first, calls = vectors(model, tmp_path / "new", monkeypatch)
    assert calls == [3, 3, 1]
    np.testing.assert_allclose(first, whole, atol=1e-6)
    again, calls = vectors(model, tmp_path / "new", monkeypatch)
    assert calls == []
    np.testing.assert_array_equal(again, first)
    # What changed is made again, and nothing else.
    assert vectors(model, tmp_path / "new", monkeypatch, texts=[*TEXTS[:5], "x"])[1] == [3]


@pytest.mark.parametrize("changed", [{"normalize": True}, {"pooling": "mean"}, {"truncate_dim": 4}])
def test_another_encoder_finds_nothing(changed, model, tmp_path, monkeypatch):
    vectors(model, tmp_path, monkeypatch)
    assert vectors(model, tmp_path, monkeypatch, **changed)[1] == [3, 3, 1]


def test_other_parameters_find_nothing(model, tmp_path, monkeypatch):
    vectors(model, tmp_path / "blocks", monkeypatch)
    other = write_model(tmp_path / "other", TEXTS, seed=1)
    assert vectors(other, tmp_path / "blocks", monkeypatch)[1] == [3, 3, 1]


def test_one_number_of_the_parameters_is_another_model(model):
    encoder, params = load(str(model))
    leaves, tree = jax.tree.flatten(params)
    leaves[3] = np.array(leaves[3])
    leaves[3].flat[-1] += 1e-3
    assert model_hash(encoder, params) == model_hash(encoder, jax.tree.map(np.asarray, params))
    assert model_hash(encoder, params) != model_hash(encoder, tree.unflatten(leaves))


def test_data_flow_is_part_of_a_row():
    ids, spans = np.arange(3, dtype=np.int32), np.zeros((1, 2), np.int16)
    edges = [np.array(pairs, np.int16).reshape(-1, 2) for pairs in ([], [[0, 1]], [[1, 0]])]
    assert len({rows_hash("m", [Example(ids, spans, edge)]) for edge in edges}) == 3


DAMAGE = {
    "a flipped bit": lambda content: content[:400] + bytes([content[400] ^ 1]) + content[401:],
    "the first half": lambda content: content[: len(content) // 2],
    "nothing": lambda content: b"",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_block_is_made_again(damage, model, tmp_path, monkeypatch):
    first, _ = vectors(model, tmp_path, monkeypatch)
    path = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    again, calls = vectors(model, tmp_path, monkeypatch)
    assert calls == [3]
    np.testing.assert_array_equal(again, first)


EVALUATE = """
import sys
from softnce_jax.encoders import embed
from softnce_jax.encoders.embed import Embedder
from softnce_jax.commands.evaluate import Flags, evaluate

embed.BLOCK_ROWS = 5
call = Embedder.__call__

def counted(self, params, ragged):
    print("embedded", len(ragged), flush=True)
    return call(self, params, ragged)

Embedder.__call__ = counted
evaluate(Flags(model=sys.argv[1], lang="python", data="sample", out=sys.argv[2]))
"""


def tells_of_a_block(line: str) -> bool:
    return line.startswith("embedded")


@pytest.mark.slow
def test_a_killed_evaluation_goes_on(model, tmp_path):
    """Killed without warning after some blocks; the same command embeds the others alone."""
    environment = os.environ | {"XLA_FLAGS": ""}
    command = [sys.executable, "-c", EVALUATE, str(model)]

    def whole(out):
        done = subprocess.run(
            [*command, str(out)], capture_output=True, text=True, check=True, env=environment
        )
        metrics = json.loads((out / "results.json").read_text())["metrics"]
        return sum(map(tells_of_a_block, done.stdout.splitlines())), metrics

    blocks, wanted = whole(tmp_path / "whole")
    process = subprocess.Popen(
        [*command, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True, env=environment,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    begun = 0
    while begun < 4:
        begun += tells_of_a_block(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    begun += sum(map(tells_of_a_block, process.communicate()[0].splitlines()))
    left = [
        path for path in (tmp_path / "killed" / "unfinished").iterdir() if path.suffix == ".npz"
    ]
    assert 3 <= len(left) < blocks and not (tmp_path / "killed" / "results.json").exists()
    resumed, found = whole(tmp_path / "killed")
    assert resumed == blocks - len(left)
    assert found == wanted
    assert not (tmp_path / "killed" / "unfinished").exists()
