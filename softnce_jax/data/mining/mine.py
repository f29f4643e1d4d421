"""From a source tree to a folder of pairs: files, functions, duplicates, splits, a report.

Files are read in processes of their own. What they find goes to a spool on disk; in memory stay a
few hundred bytes a pair, until the splits are known and the rows are written once more.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from softnce_jax.data.mining import dedup
from softnce_jax.data.mining.config import Config
from softnce_jax.data.mining.files import source_files
from softnce_jax.data.mining.languages import LANGUAGES
from softnce_jax.data.mining.reading import read_all, without_duplicates
from softnce_jax.data.mining.remote import remote_of
from softnce_jax.data.mining.report import Counts, table
from softnce_jax.data.mining.splits import split
from softnce_jax.data.mining.spool import Spool, write_splits
from softnce_jax.errors import InputError


def mine(config: Config) -> Path:
    """Mines a tree, writes the data and prints the report.

    Args:
      config: what the flags say.

    Returns:
      The folder written: `{train,valid,test,codebase}.jsonl` and `report.json`.

    Raises:
      InputError: an unknown language, no such folder, a folder that exists, too few pairs.
    """
    root, final = checked(config)
    started = time.perf_counter()
    made = not final.parent.exists()
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{config.lang}.", dir=final.parent))
    try:
        report = write(config, root, partial)
        partial.chmod(0o755)
        os.replace(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if made and not any(final.parent.iterdir()):
            final.parent.rmdir()
        raise
    print(table(report))
    found, seconds = report["functions"]["found"], time.perf_counter() - started
    print(f"{found} functions in {seconds:.1f} s, {found / seconds:.0f} a second: {final}")
    flags = f"--lang {config.lang} --data {config.out} --encoder tiny"
    print(f"next: python experiments/finetune.py {flags}")
    return final


def checked(config: Config) -> tuple[str, Path]:
    """The root, absolute, and the folder to be made."""
    if config.lang not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(f"unknown language {config.lang!r}: --lang takes {known}")
    if "://" in config.path or config.path.startswith("git@"):
        raise InputError(f"{config.path}: clone it first, then give the folder")
    if not os.path.isdir(config.path):
        raise InputError(f"{config.path}: no such folder")
    final = Path(config.out) / config.lang
    if final.exists():
        raise InputError(f"{final} exists: remove it or choose another --out")
    return os.path.realpath(config.path), final


def write(config: Config, root: str, folder: Path) -> dict:
    """Writes the data into a folder; returns the report, written beside them."""
    counts = Counts()
    sources = list(source_files(root, LANGUAGES[config.lang], counts))
    with tempfile.TemporaryDirectory(dir=folder) as spooled:
        spool = Spool(Path(spooled))
        found = read_all(sources, config, counts)
        spool.fill(without_duplicates(found, counts))
        groups = dedup.near_duplicates(spool.signatures())
        near = Counter(groups.of(place) for place in range(len(spool.homes)))
        try:
            names = split(spool.homes, groups)
        except InputError as error:
            raise InputError(f"{config.path}: {error}{most_dropped(counts)}") from error
        write_splits(folder, zip(spool.lines(), names, strict=True))
    sizes = {name: names.count(name) for name in ("train", "valid", "test")}
    report = {
        "path": config.path,
        "remote": remote_of(root),
        "language": config.lang,
        "split_by": config.split_by,
        **counts.as_dict(),
        "near-duplicates": {
            "groups": sum(size > 1 for size in near.values()),
            "functions in them": sum(size for size in near.values() if size > 1),
            "the largest": max(near.values()),
        },
        "pairs": sizes | {"candidates": sizes["valid"] + sizes["test"]},
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def most_dropped(counts: Counts) -> str:
    """What most functions or files were dropped for, to be added to an error."""
    kinds = counts.as_dict()
    for kind in ("functions", "files"):
        numbers = kinds.get(kind, {"found": 0, "dropped": {}})
        if numbers["dropped"]:
            reason, first = next(iter(numbers["dropped"].items()))
            number = first["count"]
            return f"; of {numbers['found']} {kind} {number} were dropped for: {reason}"
    return ""
