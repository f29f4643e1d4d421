"""A corpus of 20 tasks as a folder of JSONL, cut out of the sample, and an encoder for it."""

from __future__ import annotations

import json
from pathlib import Path

from softnce_jax.data.sample import load_sample
from tests.data.folders import write_folder
from tests.small_model import write_model


def write_tasks(folder: Path, language: str = "python") -> Path:
    """20 functions with two phrasings each: 12 to train on, 4 to validate, 4 to test."""
    corpus = load_sample(language)
    rows = [
        {"url": p.url, "query": p.query, "code": p.code, "family": p.family} for p in corpus.train
    ][:40]
    return write_folder(
        folder, train=rows[:24], valid=rows[24:32], test=rows[32:], codebase=rows[::2]
    )


def write_encoder(folder: Path, tasks: Path, **settings) -> Path:
    """A model folder of 16 dimensions that knows the words of the training pairs."""
    rows = [json.loads(line) for line in (tasks / "train.jsonl").read_text("utf-8").splitlines()]
    texts = [text for row in rows for text in (row["query"], row["code"])]
    return write_model(folder, texts, **{"pooling": "mean", "normalize": True} | settings)
