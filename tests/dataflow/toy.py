"""The toy tokenizer of the goldens: pieces of three characters, hashed."""

from __future__ import annotations

import json
import zlib

import numpy as np

from softnce_jax.dataflow.example import Specials, make_example
from tests.shared import shared_path

SPECIALS = Specials([0], [2], 3)


def pieces(words, *, after_space):
    """The ids of every word; the first piece of one after white space is marked."""
    return [
        [
            10 + zlib.crc32(piece.encode()) % 990
            for at, run in enumerate(word.split())
            for piece in cut(run, after_space or at > 0)
        ]
        for word in words
    ]


def cut(run, marked):
    first, *rest = (run[at : at + 3] for at in range(0, len(run), 3))
    return ["Ġ" * marked + first, *rest]


def golden_cases():
    """The 21 conversions: what went in, and arrays by name of what came out."""
    arrays = np.load(shared_path("goldens/dfg_features.npz"))
    for case in json.loads(shared_path("goldens/dfg_features.json").read_text())["cases"]:
        prefix = f"{case['key']}/"
        yield case, {n.removeprefix(prefix): arrays[n] for n in arrays if n.startswith(prefix)}


def example_of(case):
    """The Example that we make of a golden's tokens and edges."""
    path = shared_path(f"goldens/dfg_{case['lang']}.jsonl")
    snippets = {line["id"]: line for line in map(json.loads, path.read_text("utf-8").splitlines())}
    golden = snippets[case["snippet"]]
    assert golden["code"] == case["code"]
    edges = [(at, relation, tuple(parents)) for _, at, relation, _, parents in golden["dfg"]]
    return convert(case, golden["code_tokens"], edges)


def convert(case, tokens, edges):
    """The Example of tokens and edges under a golden's lengths."""
    ids = pieces(tokens[:1], after_space=False) + pieces(tokens[1:], after_space=True)
    lengths = {"code_length": case["code_length"], "flow_length": case["data_flow_length"]}
    return make_example(ids, edges, SPECIALS, **lengths)
