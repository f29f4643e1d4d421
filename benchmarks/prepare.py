"""Preparing a synthetic corpus in Zenodo's layout: functions a second, and memory.

    python benchmarks/prepare.py --functions 500000

Memory is the resident set of each process, sampled ten times a second; the sum counts pages that
processes share once for each of them.
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import random
import tempfile
import threading
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import tyro

from softnce_jax.commands import prepare
from softnce_jax.data.load import data_folder
from softnce_jax.data.sample import load_sample

PER_FILE = 30_000  # as in the published files


@dataclass(frozen=True)
class Flags:
    """Prepares a synthetic corpus twice: the published way, then by the cleaning rules."""

    functions: int = 20_000
    """In the raw corpus: nine of ten in train, the rest in valid and test."""
    select: tuple[Literal["lists", "rules"], ...] = ("lists", "rules")
    """Ways to choose among them; lists name six of ten."""
    processes: int | None = None
    """At work; by default one a core."""
    seed: int = 0
    """Of the functions."""


def main(flags: Flags) -> None:
    """Prints a row of a table for each way."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        raw = Path(folder) / "raw"
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
            other.submit(write_corpus, raw, flags).result()  # so that its memory is not counted
        size = sum(path.stat().st_size for path in raw.iterdir()) / 1e6
        print(f"wrote {flags.functions:,} functions, {size:.0f} MB of zips, "
              f"in {time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
        rows = []
        for select in flags.select:
            os.environ["SOFTNCE_DATA"] = f"{folder}/{select}"
            watch, started = Watch(), time.monotonic()
            prepare.main(
                prepare.Flags(
                    lang="python", folder=str(raw), select=select, processes=flags.processes
                )
            )
            seconds = time.monotonic() - started
            peak = watch.stop()
            written = sum(p.stat().st_size for p in data_folder().rglob("*") if p.is_file()) / 1e6
            cells = [
                select,
                f"{flags.functions:,}",
                f"{seconds:.0f}",
                f"{flags.functions / seconds:,.0f}",
            ]
            cells += [f"{peak[name]:.0f}" for name in ("parent", "worker", "all")]
            rows.append(" | ".join([*cells, f"{written:.0f}"]))
        print(
            "| by | functions | s | functions/s | parent, MB | worker, MB | all, MB | on disk, MB |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for row in rows:
            print(f"| {row} |")
        print("load average", os.getloadavg())


def write_corpus(folder: Path, flags: Flags) -> None:
    """`python.zip` as on Zenodo and `dataset.zip` as GraphCodeBERT's authors publish it."""
    folder.mkdir(parents=True)
    draw = random.Random(flags.seed)
    shares = {"train": 0.9, "valid": 0.05, "test": 0.05}
    urls: dict[str, list[str]] = {"train": [], "valid": [], "test": [], "codebase": []}
    with zipfile.ZipFile(folder / "python.zip", "w") as archive:
        for split, share in shares.items():
            rows = int(flags.functions * share)
            for number, start in enumerate(range(0, rows, PER_FILE)):
                name = f"python/final/jsonl/{split}/python_{split}_{number}.jsonl.gz"
                lines = []
                for at in range(start, min(rows, start + PER_FILE)):
                    row = function(f"{split}{at}", draw)
                    lines.append(json.dumps(row))
                    if listed := draw.random() < 0.6:
                        urls[split].append(row["url"])
                    if split != "train" and (listed or draw.random() < 0.9):
                        urls["codebase"].append(row["url"])
                archive.writestr(name, gzip.compress("\n".join(lines).encode(), 1))
    with zipfile.ZipFile(folder / "dataset.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for split, listed in urls.items():
            draw.shuffle(listed)
            archive.writestr(f"dataset/python/{split}.txt", "\n".join(listed))


SAMPLE = [(pair.query, pair.code) for pair in load_sample("python").train]


def function(name: str, draw: random.Random) -> dict:
    """A row of CodeSearchNet: functions of the sample one after another, names of its own."""
    chosen = draw.choices(SAMPLE, k=draw.choice((1, 2, 2, 3)))
    code = "\n".join(part.replace("def ", f"def {name}_", 1) for _, part in chosen)
    query = f"{chosen[0][0]} ({name})"
    return {
        "repo": f"owner/{name[-2:]}",
        "path": f"src/{name}.py",
        "func_name": name,
        "original_string": code,
        "language": "python",
        "code": code,
        "code_tokens": code.replace("(", " ( ").replace(")", " ) ").replace(":", " : ").split(),
        "docstring": query,
        "docstring_tokens": query.split(),
        "sha": "0" * 40,
        "url": f"https://github.com/owner/{name[-2:]}/blob/{'0' * 40}/src/{name}.py#L1-L9",
        "partition": name.rstrip("0123456789"),
    }


class Watch:
    """The most memory that this process and those it started have held, in MB."""

    def __init__(self):
        self._peak = dict.fromkeys(("parent", "worker", "all"), 0.0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, float]:
        self._ended.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        parent = psutil.Process()
        while not self._ended.wait(0.1):
            sizes = [parent.memory_info().rss / 1e6]
            for child in parent.children(recursive=True):
                try:
                    sizes.append(child.memory_info().rss / 1e6)
                except psutil.NoSuchProcess:
                    continue
            seen = {"parent": sizes[0], "worker": max(sizes[1:], default=0), "all": sum(sizes)}
            self._peak = {name: max(size, self._peak[name]) for name, size in seen.items()}


if __name__ == "__main__":
    main(tyro.cli(Flags))
