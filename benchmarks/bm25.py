"""BM25 features of a batch: time, memory and columns, with the words of one query only and without.

    python benchmarks/bm25.py

Docstrings of the installed packages, first paragraphs, by a tokenizer trained on them.
"""

from __future__ import annotations

import ast
import dataclasses
import sysconfig
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tyro
from tqdm import tqdm

from softnce_jax.encoders.tokenizer import Tokenizer
from softnce_jax.estimators.bm25 import average_length, bm25_features
from softnce_jax.pretrained.tiny import train_tokenizer

LENGTH = 128


@dataclasses.dataclass(frozen=True)
class Settings:
    """Measures BM25 features."""

    rows: tuple[int, ...] = (64, 1024, 4096, 8192)
    """Queries of a batch."""
    rounds: int = 5
    """Batches of each size; medians are told."""
    most: int = 45_000
    """Docstrings."""
    vocabulary: int = 50_000
    """Tokens at most."""


def docstrings(folder: Path) -> Iterator[str]:
    """The first paragraphs of the docstrings of functions below a folder."""
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and (text := ast.get_docstring(node)):
                yield text.partition("\n\n")[0]


def line(ids: list[list[int]], rows: int, settings: Settings) -> str:
    """One row of the table."""
    random, average = np.random.default_rng(0), average_length(ids)
    cells = []
    for lone_words in (True, False):
        seconds, peaks = [], []
        for _ in range(settings.rounds):
            batch = [ids[i] for i in random.choice(len(ids), rows, replace=False)]
            began = time.process_time()
            a_BF, b_BF = bm25_features(batch, average, lone_words=lone_words)
            seconds.append(time.process_time() - began)
            tracemalloc.start()
            bm25_features(batch, average, lone_words=lone_words)
            peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
            tracemalloc.stop()
        cells += [f"{a_BF.shape[1]}", f"{(a_BF.nbytes + b_BF.nbytes) / 1e6:.1f}"]
        cells += [f"{np.median(peaks):.1f}", f"{np.median(seconds):.4f}"]
    return f"| {rows} | {' | '.join(cells)} |"


def main(settings: Settings) -> None:
    """Prints a table."""
    found = tqdm(docstrings(Path(sysconfig.get_paths()["purelib"])), desc="docstrings")
    texts = [text for text, _ in zip(found, range(settings.most), strict=False)]
    tokenizer = Tokenizer(train_tokenizer(texts, settings.vocabulary))
    ids = tokenizer.tokenize(texts, LENGTH)
    tokens = np.mean([len(row) for row in ids])
    print(f"{len(texts)} docstrings of {tokens:.1f} tokens, {tokenizer.vocab_size} known; "
          f"numpy {np.__version__}\n")  # fmt: skip
    print("| rows | columns | MB | peak, MB | CPU, s | without lone words: columns | MB | peak, MB "
          "| CPU, s |\n" + "|---" * 9 + "|")  # fmt: skip
    for rows in settings.rows:
        print(line(ids, rows, settings), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Settings))
